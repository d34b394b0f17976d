//! Keys of the state store, every family: bytes are no key, or one that is written back as the same bytes; a value comes back
//! from its key as it was; and keys sort as what they stand for.

use std::cmp::Ordering;
use std::fmt::Debug;

use steward_model::operation::EffectKey;
use steward_model::update::RequestKey;
use steward_model::{Epoch, Link, Offset, Position, Timestamp, Version};
use steward_storage::keys::index::{Number, Value};
use steward_storage::keys::{
    Space, answered, answers, document, expiry, factory, index, listing, meta, outbox, reply, sequence, tombstone,
    version,
};

use crate::input::Input;

pub(crate) fn check(bytes: &[u8]) {
    read(bytes);
    let mut input = Input(bytes);
    let space = input.space();
    assert_eq!(Space::of(&space.prefix()), Some(space));
    let (one, other) = (Parts::of(&mut input), Parts::of(&mut input));
    round_trips(space, &one);
    sorted(space, &one, &other);
    indexed(space, &one, &other);
}

/// Takes the bytes for a key of each family.
fn read(key: &[u8]) {
    same(key, index::decode(key).map(|(path, value, link, space)| index::encode(space, &path, &value, &link)));
    same(key, listing::decode(key).map(|(link, space)| listing::encode(space, &link)));
    same(key, factory::decode(key).map(|(link, known)| factory::encode(&link, &known)));
    let Some(space) = Space::of(key) else { return };
    same(key, answered::decode(key).map(|(at, link, request)| answered::encode(space, at, &link, &request)));
    same(key, answers::decode(key).map(|(link, at, request)| answers::encode(space, &link, at, &request)));
    same(key, document::decode(key).map(|link| document::encode(space, &link)));
    same(key, expiry::decode(key).map(|(time, link)| expiry::encode(space, time, &link)));
    same(key, meta::decode(key).map(|known| meta::encode(space, &known)));
    same(key, outbox::decode(key).map(|effect| outbox::encode(space, &effect)));
    same(key, reply::decode(key).map(|(link, request)| reply::encode(space, &link, &request)));
    same(key, sequence::decode(key).map(|(at, link)| sequence::encode(space, at, &link)));
    same(key, tombstone::decode(key).map(|(at, link)| tombstone::encode(space, at, &link)));
    same(key, version::decode(key).map(|(link, version)| version::encode(space, &link, version)));
}

fn same(key: &[u8], written: Option<Vec<u8>>) {
    assert!(written.as_deref().is_none_or(|written| written == key), "{key:?} is written back as {written:?}");
}

/// What keys are made of.
#[derive(Debug)]
struct Parts {
    link: Link,
    number: u64,
    request: RequestKey,
    path: String,
    value: Value,
}

impl Parts {
    fn of(input: &mut Input<'_>) -> Parts {
        let (link, number) = (input.link(), input.wide());
        Parts { link, number, request: RequestKey(input.array()), path: input.text(), value: value(input) }
    }

    fn effect(&self) -> EffectKey {
        let at = Position { epoch: Epoch::from_u64(self.number), offset: Offset(self.number.rotate_left(32)) };
        EffectKey { link: self.link.clone(), at, number: self.number as u32 }
    }

    fn time(&self) -> Timestamp {
        Timestamp(self.number.cast_signed())
    }
}

fn value(input: &mut Input<'_>) -> Value {
    match input.byte() % 5 {
        0 => Value::Boolean(input.byte() % 2 == 1),
        1 => Value::Number(Number::Integer(input.wide().into())),
        2 => Value::Number(Number::Integer(input.wide().cast_signed().into())),
        // JSON has finite numbers only.
        3 => Value::Number(Number::Float(Some(f64::from_bits(input.wide())).filter(|n| n.is_finite()).unwrap_or(0.5))),
        _ => Value::text(&input.text()),
    }
}

fn round_trips(space: Space, parts: &Parts) {
    let (link, number, request) = (&parts.link, parts.number, &parts.request);
    let at = Offset(number);
    returns(answered::decode(&answered::encode(space, at, link, request)), (at, link.clone(), *request));
    returns(answers::decode(&answers::encode(space, link, at, request)), (link.clone(), at, *request));
    returns(document::decode(&document::encode(space, link)), link.clone());
    returns(expiry::decode(&expiry::encode(space, parts.time(), link)), (parts.time(), link.clone()));
    returns(outbox::decode(&outbox::encode(space, &parts.effect())), parts.effect());
    returns(reply::decode(&reply::encode(space, link, request)), (link.clone(), *request));
    returns(sequence::decode(&sequence::encode(space, at, link)), (at, link.clone()));
    returns(tombstone::decode(&tombstone::encode(space, at, link)), (at, link.clone()));
    returns(version::decode(&version::encode(space, link, Version(number))), (link.clone(), Version(number)));
    returns(listing::decode(&listing::encode(space, link)), (link.clone(), space));
    for known in [meta::Key::Progress, meta::Key::Bucket(number as u8)] {
        returns(meta::decode(&meta::encode(space, &known)), known);
    }
    for known in [factory::Key::Tally(space), factory::Key::Partial, factory::Key::Expiring] {
        returns(factory::decode(&factory::encode(link, &known)), (link.clone(), known));
    }
}

fn returns<T: PartialEq + Debug>(read: Option<T>, expected: T) {
    assert_eq!(read, Some(expected));
}

/// Compares keys of two values with the values themselves.
fn sorted(space: Space, one: &Parts, other: &Parts) {
    let of_each = |key: &dyn Fn(&Parts) -> Vec<u8>| key(one).cmp(&key(other));
    let by_link = one.link.as_str().cmp(other.link.as_str());
    let by_number = one.number.cmp(&other.number);
    assert_eq!(of_each(&|parts| document::encode(space, &parts.link)), by_link);
    let by_place = by_number.then(by_link);
    assert_eq!(of_each(&|parts| sequence::encode(space, Offset(parts.number), &parts.link)), by_place);
    assert_eq!(of_each(&|parts| tombstone::encode(space, Offset(parts.number), &parts.link)), by_place);
    let by_time = one.time().cmp(&other.time()).then(by_link);
    assert_eq!(of_each(&|parts| expiry::encode(space, parts.time(), &parts.link)), by_time);
    let by_version = by_link.then(by_number);
    assert_eq!(of_each(&|parts| version::encode(space, &parts.link, Version(parts.number))), by_version);
    let (first, second) = (one.effect(), other.effect());
    let by_effect = by_link.then((first.at, first.number).cmp(&(second.at, second.number)));
    assert_eq!(of_each(&|parts| outbox::encode(space, &parts.effect())), by_effect);
    let below = document::below(space, &one.link);
    let lies_below = other.link.is_within(&one.link) && other.link != one.link;
    // The root lies below itself as far as beginnings of keys go.
    let expected = lies_below || (one.link.is_root() && other.link.is_root());
    assert_eq!(document::encode(space, &other.link).starts_with(&below), expected);
}

/// The field index: values of one type sort as they do in JSON, whatever stands behind them.
fn indexed(space: Space, one: &Parts, other: &Parts) {
    let key = index::encode(space, &one.path, &one.value, &one.link);
    let (path, value, link, copy) = index::decode(&key).expect("a key");
    assert_eq!((path.as_str(), &link, copy), (one.path.as_str(), &one.link, space));
    let factory = link.parent().unwrap_or_else(|| link.clone());
    // A whole float comes back as the integer that it is; its key is the same.
    let of_value = index::of_value(&factory, &path, &value);
    assert_eq!(of_value, index::of_value(&factory, &one.path, &one.value));
    let (of_type, of_path) = (index::of_type(&factory, &path, &value), index::of_path(&factory, &path));
    assert!(key.starts_with(&of_value) && of_value.starts_with(&of_type) && of_type.starts_with(&of_path));
    let entry = index::Entry::read(&key, of_path.len()).expect("a key");
    assert_eq!((entry.name, entry.space), (link.name(), space));
    let Some(by_value) = order(&one.value, &other.value) else { return };
    // Documents of one factory; those of others stand elsewhere.
    let Ok(beside) = factory.child(other.link.name()) else { return };
    let expected = by_value.then(link.name().cmp(beside.name()));
    let beside = index::encode(space, &one.path, &other.value, &beside);
    assert_eq!(key.cmp(&beside), expected, "{:?} and {:?}", one.value, other.value);
}

/// Returns how two values of one type sort; none for two types.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Boolean(one), Value::Boolean(other)) => Some(one.cmp(other)),
        (Value::Text(one), Value::Text(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Value::Number(one), Value::Number(other)) => Some(order_of_numbers(*one, *other)),
        (Value::Boolean(_) | Value::Text(_) | Value::Number(_), _) => None,
    }
}

fn order_of_numbers(one: Number, other: Number) -> Ordering {
    match (one, other) {
        (Number::Integer(one), Number::Integer(other)) => one.cmp(&other),
        (Number::Float(one), Number::Float(other)) => one.partial_cmp(&other).expect("finite numbers"),
        (Number::Integer(one), Number::Float(other)) => to_float(one, other),
        (Number::Float(one), Number::Integer(other)) => to_float(other, one).reverse(),
    }
}

/// Compares exactly: the whole part first, which every float in the range of the integers has as an integer.
fn to_float(integer: i128, float: f64) -> Ordering {
    let whole = float.floor();
    if whole.abs() > 1e30 {
        return if whole > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let above = if float > whole { Ordering::Less } else { Ordering::Equal };
    integer.cmp(&(whole as i128)).then(above)
}

//! Scalars: what fields of documents are compared with, and the ranges that an index can be asked for.
//!
//! Values of different types never equal one another and lie in no common range. For sorting, where some order is
//! needed, booleans come before numbers and numbers before texts.

use std::cmp::Ordering;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

/// A number of JSON, compared by value: `2` and `2.0` are equal, and no digits are lost on the way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Number {
    /// A whole number; every integer that JSON documents can hold here fits.
    Integer(i128),
    /// Any other number; never NaN, since JSON has none.
    Float(f64),
}

impl Number {
    /// Returns the number that `text` writes, as JSON would write it.
    ///
    /// None if `text` is no number of JSON, or one too large for a double.
    pub fn parse(text: &str) -> Option<Number> {
        // Rust reads more than JSON writes: `+1`, `inf`, `nan`, `.5`.
        let begins = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
        if !begins {
            return None;
        }
        // Documents are read so as well: what 64 bits do not hold is the nearest double.
        let is_held = |integer: &i128| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(integer);
        if let Some(integer) = text.parse::<i128>().ok().filter(is_held) {
            return Some(Number::Integer(integer));
        }
        text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Number::Float)
    }

    /// Returns the value of a number of JSON.
    pub fn of_json(number: &serde_json::Number) -> Number {
        match (number.as_i128(), number.as_f64()) {
            (Some(integer), _) => Number::Integer(integer),
            (None, Some(float)) => Number::Float(float),
            (None, None) => Number::Integer(0),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(b),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.total_cmp(b)),
            (Number::Integer(a), Number::Float(b)) => compare_mixed(*a, *b),
            (Number::Float(a), Number::Integer(b)) => compare_mixed(*b, *a).reverse(),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Integer(integer) => write!(f, "{integer}"),
            // The debug form keeps the point or the exponent, so that the text is read as a float again.
            Number::Float(float) => write!(f, "{float:?}"),
        }
    }
}

/// Compares without rounding the integer, which a cast to `f64` would do above 2^53.
fn compare_mixed(integer: i128, float: f64) -> Ordering {
    const LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if float >= LIMIT {
        return Ordering::Less;
    }
    if float < -LIMIT {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    integer.cmp(&(whole as i128)).then_with(|| 0.0_f64.total_cmp(&(float - whole + 0.0)))
}

/// One scalar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text, compared by bytes.
    Text(String),
}

impl Value {
    /// Returns the text as a value.
    pub fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// Returns the integer as a value.
    pub fn integer(integer: impl Into<i128>) -> Value {
        Value::Number(Number::Integer(integer.into()))
    }

    /// Returns the value without giving it away.
    pub fn as_scalar(&self) -> Scalar<'_> {
        match self {
            Value::Boolean(boolean) => Scalar::Boolean(*boolean),
            Value::Number(number) => Scalar::Number(*number),
            Value::Text(text) => Scalar::Text(text),
        }
    }
}

/// A [`Value`] that belongs to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(&'a str),
}

impl Scalar<'_> {
    /// Returns a copy that can be kept.
    pub fn to_value(self) -> Value {
        match self {
            Scalar::Boolean(boolean) => Value::Boolean(boolean),
            Scalar::Number(number) => Value::Number(number),
            Scalar::Text(text) => Value::text(text),
        }
    }
}

/// Where a range begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds<T> {
    /// The smallest value, or what all values are above.
    pub lower: Bound<T>,
    /// The largest value, or what all values are below.
    pub upper: Bound<T>,
}

impl<T> Bounds<T> {
    /// Returns the range that holds one value.
    pub fn only(value: T) -> Bounds<T>
    where
        T: Clone,
    {
        Bounds { lower: Bound::Included(value.clone()), upper: Bound::Included(value) }
    }

    /// Returns the one value that lies in the range, if its bounds say so.
    pub fn single(&self) -> Option<&T>
    where
        T: PartialEq,
    {
        match (&self.lower, &self.upper) {
            (Bound::Included(lower), Bound::Included(upper)) if lower == upper => Some(lower),
            _ => None,
        }
    }

    fn holds<U: Ord + ?Sized>(&self, value: &U, key: impl Fn(&T) -> &U) -> bool {
        let above = match &self.lower {
            Bound::Included(lower) => value >= key(lower),
            Bound::Excluded(lower) => value > key(lower),
            Bound::Unbounded => true,
        };
        let below = match &self.upper {
            Bound::Included(upper) => value <= key(upper),
            Bound::Excluded(upper) => value < key(upper),
            Bound::Unbounded => true,
        };
        above && below
    }

    fn opens_below(&self) -> bool {
        matches!((&self.lower, &self.upper), (Bound::Unbounded, Bound::Included(_) | Bound::Excluded(_)))
    }

    fn opens_above(&self) -> bool {
        matches!((&self.lower, &self.upper), (Bound::Included(_) | Bound::Excluded(_), Bound::Unbounded))
    }

    fn join(&mut self, other: Bounds<T>) -> Result<(), Bounds<T>> {
        if self.opens_above() && other.opens_below() {
            self.upper = other.upper;
            return Ok(());
        }
        if self.opens_below() && other.opens_above() {
            self.lower = other.lower;
            return Ok(());
        }
        Err(other)
    }
}

/// A range of values of one type: what a field is compared with, and what an index is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueRange {
    /// This boolean.
    Boolean(bool),
    /// Numbers by value.
    Numbers(Bounds<Number>),
    /// Texts by bytes.
    Texts(Bounds<String>),
}

impl ValueRange {
    /// Returns the range that holds `value` alone.
    pub fn only(value: Value) -> ValueRange {
        match value {
            Value::Boolean(boolean) => ValueRange::Boolean(boolean),
            Value::Number(number) => ValueRange::Numbers(Bounds::only(number)),
            Value::Text(text) => ValueRange::Texts(Bounds::only(text)),
        }
    }

    /// Returns the range of the texts that begin with `prefix`.
    pub fn prefix(prefix: &str) -> ValueRange {
        let upper = successor(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        ValueRange::Texts(Bounds { lower: Bound::Included(prefix.to_owned()), upper })
    }

    /// Returns true if `value` has the type of the range and lies in it.
    pub fn holds(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (ValueRange::Boolean(ours), Scalar::Boolean(theirs)) => *ours == theirs,
            (ValueRange::Numbers(bounds), Scalar::Number(number)) => bounds.holds(&number, |bound| bound),
            (ValueRange::Texts(bounds), Scalar::Text(text)) => bounds.holds(text, |bound| bound.as_str()),
            (
                ValueRange::Boolean(_) | ValueRange::Numbers(_) | ValueRange::Texts(_),
                Scalar::Boolean(_) | Scalar::Number(_) | Scalar::Text(_),
            ) => false,
        }
    }

    /// Returns the one value of the range, if it has no room for two.
    pub fn single(&self) -> Option<Value> {
        match self {
            ValueRange::Boolean(boolean) => Some(Value::Boolean(*boolean)),
            ValueRange::Numbers(bounds) => bounds.single().map(|number| Value::Number(*number)),
            ValueRange::Texts(bounds) => bounds.single().map(|text| Value::text(text)),
        }
    }

    /// Returns true if the range ends on both sides.
    pub fn is_closed(&self) -> bool {
        match self {
            ValueRange::Boolean(_) => true,
            ValueRange::Numbers(Bounds { lower, upper }) => lower != &Bound::Unbounded && upper != &Bound::Unbounded,
            ValueRange::Texts(Bounds { lower, upper }) => lower != &Bound::Unbounded && upper != &Bound::Unbounded,
        }
    }

    /// Makes one range of two that are open on opposite sides.
    ///
    /// # Errors
    /// Gives `other` back if the two have different types or do not complete one another.
    pub(super) fn join(&mut self, other: ValueRange) -> Result<(), ValueRange> {
        match (self, other) {
            (ValueRange::Numbers(ours), ValueRange::Numbers(theirs)) => ours.join(theirs).map_err(ValueRange::Numbers),
            (ValueRange::Texts(ours), ValueRange::Texts(theirs)) => ours.join(theirs).map_err(ValueRange::Texts),
            (ValueRange::Boolean(_) | ValueRange::Numbers(_) | ValueRange::Texts(_), other) => Err(other),
        }
    }
}

/// Returns the smallest text above all texts that begin with `prefix`; none if there is no such text.
fn successor(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        // The step over the surrogates, which are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            head.push(next);
            return Some(head);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_compare_by_value_whatever_their_form() {
        let big = i128::from(u64::MAX);
        assert_eq!(Number::Integer(2), Number::Float(2.0));
        assert!(Number::Integer(2) < Number::Float(2.5));
        assert!(Number::Integer(-2) > Number::Float(-2.5));
        assert!(Number::Integer(big - 1) < Number::Integer(big));
        assert!(Number::Integer((1 << 53) + 1) > Number::Float(9_007_199_254_740_992.0));
        assert!(Number::Integer(i128::MAX) < Number::Float(1e300));
        assert!(Number::Integer(i128::MIN) > Number::Float(-1e300));
        assert_eq!(Number::Float(0.0), Number::Float(-0.0));
        assert_eq!(Number::Integer(0), Number::Float(-0.0));
    }

    #[test]
    fn what_is_asked_for_is_the_number_that_a_document_is_read_with() {
        for text in
            ["18446744073709551615", "18446744073709551616", "18446744073709551617", "99999999999999999999", "1e30"]
                .into_iter()
                .flat_map(|text| [text.to_owned(), format!("-{text}")])
                .chain(["-9223372036854775808".to_owned(), "-9223372036854775809".to_owned()])
        {
            let read = Number::of_json(&serde_json::from_str(&text).expect("a number"));
            assert_eq!(Number::parse(&text), Some(read), "{text}");
        }
    }

    #[test]
    fn only_what_json_writes_is_a_number() {
        assert_eq!(Number::parse("-12"), Some(Number::Integer(-12)));
        assert_eq!(Number::parse("1e3"), Some(Number::Integer(1000)));
        for text in ["", "-", "inf", "nan", "+1", ".5", "1e999", "1x", "0x1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_of_another_type_hold_nothing() {
        assert!(!ValueRange::only(Value::text("2")).holds(Scalar::Number(Number::Integer(2))));
        assert!(!ValueRange::only(Value::integer(1)).holds(Scalar::Boolean(true)));
    }

    proptest! {
        #[test]
        fn a_prefix_range_holds_exactly_the_texts_with_the_prefix(prefix in "\\PC{0,3}", text in "\\PC{0,5}") {
            let range = ValueRange::prefix(&prefix);
            prop_assert_eq!(range.holds(Scalar::Text(&text)), text.starts_with(&prefix));
            let longer = format!("{prefix}{text}");
            prop_assert!(range.holds(Scalar::Text(&longer)));
        }

        #[test]
        fn the_order_of_numbers_is_total(a in any::<i64>(), b in -1e19..1e19_f64, c in any::<i64>()) {
            let mut numbers = [Number::Integer(a.into()), Number::Float(b), Number::Integer(c.into())];
            numbers.sort();
            prop_assert!(numbers[0] <= numbers[1] && numbers[1] <= numbers[2] && numbers[0] <= numbers[2]);
        }

        #[test]
        fn numbers_are_read_back_as_they_are_written(
            a in any::<i64>(), b in any::<f64>().prop_filter("finite", |b| b.is_finite())
        ) {
            for number in [Number::Integer(a.into()), Number::Float(b)] {
                prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            }
        }
    }
}

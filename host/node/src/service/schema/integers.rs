//! Integers that a client writes with a point or an exponent: `2.0`, `1e3`.
//!
//! Problem: for JSON Schema they are integers, for the readers of most languages they are not. A state with one would fit its schema,
//! and the guest could not read it any more.
//!
//! Promise: where the host makes a state of what a client sends, what may only be an integer is written with digits alone, whatever its
//! size. What is one only because its double is, such as `2.00000000000000000001`, is told apart.
//!
//! Left out: places that a schema reaches by keywords that decide on the rest of the state, such as `if` or `patternProperties`, and what
//! lies behind [`VISITS_MAX`] of them, which would hold up the thread; there numbers stay as they were written.

use serde_json::Value;
use steward_model::Exact;
use steward_model::exact::Members;
use steward_model::leaves::pointer_step;
use steward_model::problem::Violation;

use super::measure::definition;

/// How many schemas may lie inside one another, or refer to one another, on the way to a value.
const DEPTH_MAX: usize = 256;

/// How many places are looked at, a schema and a value each: some tens of milliseconds.
const VISITS_MAX: usize = 1_000_000;

/// Most zeros that an exponent may stand for: a longer integer is not written out.
const ZEROS_MAX: i64 = 400;

/// Writes the integers of a state with digits alone, and returns where something else stands that passes for one.
pub(super) fn settle(schema: &Value, state: &mut Exact) -> Vec<Violation> {
    // Nearly all states have none such, and the schema need not be looked at.
    if !has_any(state) {
        return Vec::new();
    }
    let mut walk = Walk { root: schema, pointer: String::new(), depth: 0, left: VISITS_MAX, wrong: Vec::new() };
    walk.at(schema, state);
    walk.wrong
}

/// Returns true if a number is written with a point or an exponent.
fn has_any(value: &Exact) -> bool {
    match value {
        Exact::Number(written) => is_elaborate(written),
        Exact::List(items) => items.iter().any(has_any),
        Exact::Object(members) => members.iter().any(|(_, value)| has_any(value)),
        Exact::Null | Exact::Bool(_) | Exact::Text(_) => false,
    }
}

fn is_elaborate(written: &str) -> bool {
    written.contains(['.', 'e', 'E'])
}

struct Walk<'a> {
    root: &'a Value,
    pointer: String,
    depth: usize,
    /// How many places may still be looked at.
    left: usize,
    wrong: Vec<Violation>,
}

impl<'a> Walk<'a> {
    fn at(&mut self, schema: &'a Value, value: &mut Exact) {
        if self.depth > DEPTH_MAX || self.left == 0 {
            return;
        }
        self.left -= 1;
        self.depth += 1;
        match value {
            Exact::Number(written) if is_of_integers(schema) => self.number(written),
            Exact::Object(members) => self.members(schema, members),
            Exact::List(items) => self.items(schema, items),
            Exact::Null | Exact::Bool(_) | Exact::Number(_) | Exact::Text(_) => {}
        }
        if let Some(definition) = schema["$ref"].as_str().and_then(|reference| definition(self.root, reference)) {
            self.at(definition, value);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let parts = schema[keyword].as_array().map(Vec::as_slice).unwrap_or_default();
            // Where one of several allows any number, a number is what it is.
            let is_open = keyword != "allOf" && parts.iter().any(allows_fractions);
            if !is_open {
                parts.iter().for_each(|part| self.at(part, value));
            }
        }
        self.depth -= 1;
    }

    fn members(&mut self, schema: &'a Value, members: &mut Members) {
        for (name, value) in members.iter_mut() {
            let own = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            if let Some(own) = own {
                self.below(&pointer_step(name), own, value);
            }
        }
    }

    fn items(&mut self, schema: &'a Value, items: &mut [Exact]) {
        let prefix = schema["prefixItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (number, item) in items.iter_mut().enumerate() {
            if let Some(own) = prefix.get(number).or_else(|| schema.get("items")) {
                self.below(&number.to_string(), own, item);
            }
        }
    }

    fn below(&mut self, step: &str, schema: &'a Value, value: &mut Exact) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(step);
        self.at(schema, value);
        self.pointer.truncate(length);
    }

    fn number(&mut self, written: &mut String) {
        if !is_elaborate(written) {
            return;
        }
        match integer(written) {
            Some(digits) => *written = digits,
            // Anything else is found by whoever checks the state.
            None if written.parse::<f64>().is_ok_and(|double| double.fract() == 0.0) => {
                let (pointer, detail) = (self.pointer.clone(), format!("{written} is no integer"));
                self.wrong.push(Violation { pointer, detail });
            }
            None => {}
        }
    }
}

/// Returns true if the only numbers of a schema are integers.
fn is_of_integers(schema: &Value) -> bool {
    types(schema).any(|name| name == "integer") && !types(schema).any(|name| name == "number")
}

/// Returns true unless a schema says by its own words that a value is no number, or an integer.
fn allows_fractions(schema: &Value) -> bool {
    types(schema).any(|name| name == "number") || types(schema).next().is_none()
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let kind = &schema["type"];
    kind.as_str().into_iter().chain(kind.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// Returns the digits of a number of JSON that has a point or an exponent; none if it is no integer, or a very long one.
fn integer(written: &str) -> Option<String> {
    let (sign, rest) = written.strip_prefix('-').map_or(("", written), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0').len();
    if significant == 0 {
        return Some("0".to_owned());
    }
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let behind = i64::try_from(fraction.len()).ok()?.saturating_sub(exponent);
    // Behind the point may stand nothing but zeros.
    match usize::try_from(behind) {
        Ok(behind) if behind > digits.len() - significant => return None,
        Ok(behind) => digits.truncate(digits.len() - behind),
        Err(_) if behind < -ZEROS_MAX => return None,
        Err(_) => digits.extend(std::iter::repeat_n('0', usize::try_from(-behind).unwrap_or(0))),
    }
    Some(format!("{sign}{}", digits.trim_start_matches('0')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_integer_is_written_with_is_found_to_the_last_digit() {
        for (written, digits) in [
            ("2.0", Some("2")),
            ("-2.0", Some("-2")),
            ("1e3", Some("1000")),
            ("1.5E+1", Some("15")),
            ("1200e-2", Some("12")),
            ("0.0", Some("0")),
            ("-0.0", Some("0")),
            ("0e999", Some("0")),
            ("10.0", Some("10")),
            ("0.5e1", Some("5")),
            ("18446744073709551617.0", Some("18446744073709551617")),
            ("2.5", None),
            ("2.00000000000000000001", None),
            ("1e-1", None),
            ("12e-2", None),
            ("1e401", None),
            ("1e-9223372036854775808", None),
            ("1e9223372036854775807", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(integer(written).as_deref(), digits, "{written}");
        }
    }

    #[test]
    fn integers_are_written_with_digits_wherever_a_schema_wants_some() {
        let schema = json!({
            "$defs": { "n": { "type": "integer" } },
            "properties": {
                "a": { "$ref": "#/$defs/n" },
                "b": { "type": ["integer", "null"] },
                "c": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                "d": { "items": { "type": "integer" } },
                "e": { "type": "number" },
                "f": { "anyOf": [{ "type": "integer" }, { "type": "number" }] },
                "g": { "additionalProperties": { "allOf": [{ "type": "integer" }] } },
                "h": { "type": ["integer", "number"] },
            },
        });
        let text = r#"{"a":1.0,"b":2.0,"c":3.0,"d":[4.0,50e-1],"e":6.0,"f":7.0,"g":{"x":8.0},"h":9.0,"i":10.0}"#;
        let mut state = Exact::read(text.as_bytes()).expect("an object");
        assert_eq!(settle(&schema, &mut state), []);
        let settled = r#"{"a":1,"b":2,"c":3,"d":[4,5],"e":6.0,"f":7.0,"g":{"x":8},"h":9.0,"i":10.0}"#;
        assert_eq!(state.to_string(), settled);
        let mut state = Exact::read(br#"{"d":[1,2.00000000000000000001,2.5]}"#).expect("an object");
        let wrong: Vec<_> = settle(&schema, &mut state).into_iter().map(|violation| violation.pointer).collect();
        assert_eq!(wrong, ["/d/1"], "what is plainly none is found by the schema");
    }

    #[test]
    fn a_schema_that_asks_much_of_many_values_ends_at_its_bound() {
        let many: Vec<Value> = (0..300).map(|_| json!({ "items": { "type": "integer" } })).collect();
        let schema = json!({ "properties": { "a": { "allOf": many } } });
        let text = format!(r#"{{"a":[{}1.0]}}"#, "1,".repeat(100_000));
        let mut state = Exact::read(text.as_bytes()).expect("an object");
        assert_eq!(settle(&schema, &mut state), []);
        assert!(state.to_string().ends_with("1,1]}"), "the first of them has come to it");
        let none = r#"{"a":[1,2]}"#;
        let mut state = Exact::read(none.as_bytes()).expect("an object");
        assert!(settle(&schema, &mut state).is_empty() && state.to_string() == none);
    }
}

//! Counts the steps that a check against a schema may take, before anything is checked.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::SchemaError;

/// Most references and subschemas inside one another.
const DEPTH_MAX: usize = 200;

/// How many steps a pattern is at least: it is matched letter by letter.
const PATTERN_STEPS: u32 = 16;

/// How often `unevaluated…` makes the subschemas for the same value be checked at most: for their own sake, and to find
/// out what they have looked at, by levels that do the same for those below them.
const UNEVALUATED_FACTOR: u32 = 3;

/// What a keyword holds.
pub(super) enum Holds {
    /// A subschema for the same value, or for every value below it alike.
    One(Step),
    /// Subschemas by name.
    Named(fn(&str) -> Step),
    /// A list of subschemas.
    Listed(fn(usize) -> Step),
}

/// From a value to the one that a subschema is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Here,
    Property(String),
    AnyProperty,
    Name,
    Item(usize),
    AnyItem,
}

impl Step {
    /// Returns true if both may lead to the same value.
    fn meets(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Property(one), Step::Property(other)) => one == other,
            (Step::Item(one), Step::Item(other)) => one == other,
            (Step::Property(_) | Step::AnyProperty, Step::Property(_) | Step::AnyProperty)
            | (Step::Item(_) | Step::AnyItem, Step::Item(_) | Step::AnyItem)
            | (Step::Here, Step::Here)
            | (Step::Name, Step::Name) => true,
            (Step::Here | Step::Name, _)
            | (_, Step::Here | Step::Name)
            | (Step::Property(_) | Step::AnyProperty, Step::Item(_) | Step::AnyItem)
            | (Step::Item(_) | Step::AnyItem, Step::Property(_) | Step::AnyProperty) => false,
        }
    }
}

pub(super) fn holds(keyword: &str) -> Option<Holds> {
    Some(match keyword {
        "not" | "if" | "then" | "else" => Holds::One(Step::Here),
        "allOf" | "anyOf" | "oneOf" => Holds::Listed(|_| Step::Here),
        "dependentSchemas" | "dependencies" => Holds::Named(|_| Step::Here),
        "properties" => Holds::Named(|name| Step::Property(name.to_owned())),
        "patternProperties" => Holds::Named(|_| Step::AnyProperty),
        "additionalProperties" | "unevaluatedProperties" => Holds::One(Step::AnyProperty),
        "propertyNames" => Holds::One(Step::Name),
        // `items` was a list in former drafts.
        "prefixItems" | "items" => Holds::Listed(Step::Item),
        "additionalItems" | "contains" | "unevaluatedItems" => Holds::One(Step::AnyItem),
        _ => return None,
    })
}

/// Returns how many steps a pattern is: each letter of a text may be compared with each part of it, and a part that is repeated so many
/// times is there so many times.
pub(super) fn steps_of_pattern(pattern: &str) -> u32 {
    let (mut around, mut parts, mut last) = (Vec::new(), 0_u32, 0_u32);
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        match letter {
            // How many there are at most; none said is one more than the least.
            '{' => {
                let counts: String = rest.by_ref().take_while(|letter| *letter != '}').collect();
                let (least, most) = counts.split_once(',').unwrap_or((&counts, &counts));
                let times =
                    most.trim().parse().or_else(|_| least.trim().parse().map(|least: u32| least.saturating_add(1)));
                // What is no number is the name of a class: `\p{Lu}`.
                last = last.saturating_mul(times.unwrap_or(1).max(1));
            }
            '*' | '+' | '?' => {}
            '(' => around.push(std::mem::take(&mut parts).saturating_add(std::mem::take(&mut last))),
            ')' => {
                last = last.saturating_add(parts);
                parts = around.pop().unwrap_or_default();
            }
            letter => {
                if letter == '\\' {
                    rest.next();
                } else if letter == '[' {
                    skip_class(&mut rest);
                }
                parts = parts.saturating_add(last);
                last = 1;
            }
        }
    }
    around.into_iter().fold(parts.saturating_add(last), u32::saturating_add).max(PATTERN_STEPS)
}

/// Reads on behind the bracket that ends a class of characters.
fn skip_class(rest: &mut std::str::Chars<'_>) {
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => drop(rest.next()),
            ']' => return,
            _ => {}
        }
    }
}

/// Returns what a reference means that leads to a place of the schema itself.
pub(super) fn definition<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let pointer = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    root.pointer(&pointer)
}

/// Returns true if a keyword holds schemas for the value itself, and not only for what is in it.
fn is_for_the_same_value(keyword: &str) -> bool {
    match holds(keyword) {
        Some(Holds::One(step)) => step == Step::Here,
        Some(Holds::Named(step)) => step("") == Step::Here,
        Some(Holds::Listed(step)) => step(0) == Step::Here,
        None => keyword == "$ref",
    }
}

/// A definition that is being followed.
struct Open<'a> {
    definition: &'a Value,
    /// How many steps lead to where it was referred to.
    way: usize,
    /// By which ways from there it referred to itself.
    closed: Vec<Vec<Step>>,
}

struct Measure<'a> {
    root: &'a Value,
    steps: u32,
    steps_max: u32,
    /// How often what is being followed is checked.
    factor: u32,
    way: Vec<Step>,
    open: Vec<Open<'a>>,
    depth: usize,
}

/// Returns how many steps a check takes at one value and below it, at most `steps_max`.
///
/// # Errors
/// [`SchemaError`]: there are more, or their number would grow with the depth of the value, or they lead out of the schema.
pub(super) fn measure(root: &Value, steps_max: u32) -> Result<u32, SchemaError> {
    let whole = Open { definition: root, way: 0, closed: Vec::new() };
    let mut measure = Measure { root, steps: 0, steps_max, factor: 1, way: Vec::new(), open: vec![whole], depth: 0 };
    measure.schema(root)?;
    Ok(measure.steps)
}

impl<'a> Measure<'a> {
    fn steps(&mut self, more: u32) -> Result<(), SchemaError> {
        self.steps = self.steps.saturating_add(more.saturating_mul(self.factor));
        match self.steps > self.steps_max {
            true => Err(SchemaError::Steps { max: self.steps_max }),
            false => Ok(()),
        }
    }

    fn schema(&mut self, schema: &'a Value) -> Result<(), SchemaError> {
        self.steps(1)?;
        if self.depth > DEPTH_MAX {
            return Err(SchemaError::Depth { max: DEPTH_MAX });
        }
        let Value::Object(keywords) = schema else { return Ok(()) };
        self.refuse_names(schema, keywords)?;
        self.depth += 1;
        let factor = self.factor;
        let has_unevaluated = keywords.keys().any(|keyword| keyword.starts_with("unevaluated"));
        let repeated = if has_unevaluated { factor.saturating_mul(UNEVALUATED_FACTOR) } else { factor };
        for (keyword, value) in keywords {
            self.factor = if is_for_the_same_value(keyword) { repeated } else { factor };
            if let ("patternProperties", Value::Object(patterns)) = (keyword.as_str(), value) {
                patterns.keys().try_for_each(|pattern| self.steps(steps_of_pattern(pattern)))?;
            }
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => self.reference(reference)?,
                ("pattern", Value::String(pattern)) => self.steps(steps_of_pattern(pattern))?,
                ("$dynamicRef" | "$recursiveRef", _) => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    return Err(SchemaError::Reference { reference: text });
                }
                // Every keyword is a step; values of an enumeration are compared quickly, eight of them are one.
                ("enum", Value::Array(values)) => self.steps(u32::try_from(values.len() / 8).unwrap_or(u32::MAX))?,
                (keyword, value) => match holds(keyword) {
                    Some(holds) => self.below(&holds, value)?,
                    None => self.steps(1)?,
                },
            }
        }
        self.factor = factor;
        self.depth -= 1;
        Ok(())
    }

    /// A part with a name of its own is a document of its own: what refers to `#/…` in it means that, and not the whole.
    fn refuse_names(&self, schema: &Value, keywords: &Map<String, Value>) -> Result<(), SchemaError> {
        let dialect = self.root.get("$schema").and_then(Value::as_str).unwrap_or_default();
        // The fourth draft called it `id`, as many call a field of their own.
        let name = keywords.get("$id").or_else(|| keywords.get("id").filter(|_| dialect.contains("draft-04")));
        match name.filter(|_| !std::ptr::eq(schema, self.root)) {
            Some(name) => Err(SchemaError::Named { name: name.to_string() }),
            None => Ok(()),
        }
    }

    fn below(&mut self, holds: &Holds, value: &'a Value) -> Result<(), SchemaError> {
        match (holds, value) {
            (Holds::One(step), schema) => self.at(step.clone(), schema),
            (Holds::Named(step), Value::Object(schemas)) => {
                schemas.iter().try_for_each(|(name, schema)| self.at(step(name), schema))
            }
            (Holds::Listed(step), Value::Array(schemas)) => {
                schemas.iter().enumerate().try_for_each(|(number, schema)| self.at(step(number), schema))
            }
            (Holds::Listed(_), schema) => self.at(Step::AnyItem, schema),
            // What is malformed is refused when the schema is compiled.
            (Holds::Named(_), _) => Ok(()),
        }
    }

    fn at(&mut self, step: Step, schema: &'a Value) -> Result<(), SchemaError> {
        let here = step == Step::Here;
        if !here {
            self.way.push(step);
        }
        let measured = self.schema(schema);
        if !here {
            self.way.pop();
        }
        measured
    }

    fn reference(&mut self, reference: &'a str) -> Result<(), SchemaError> {
        let way = self.way.len();
        let unknown = || SchemaError::Reference { reference: reference.to_owned() };
        let definition = definition(self.root, reference).ok_or_else(unknown)?;
        // By what is meant: the same place can be written in several ways.
        if let Some(open) = self.open.iter_mut().find(|open| std::ptr::eq(open.definition, definition)) {
            let from_there = self.way[open.way..].to_vec();
            let meets = |other: &Vec<Step>| {
                let shared = other.len().min(from_there.len());
                other[..shared].iter().zip(&from_there[..shared]).all(|(one, other)| one.meets(other))
            };
            let doubled = open.closed.iter().any(meets);
            // Without a step in between a check would never end.
            if doubled || from_there.is_empty() {
                return Err(SchemaError::Doubling { reference: reference.to_owned() });
            }
            open.closed.push(from_there);
            return Ok(());
        }
        self.open.push(Open { definition, way, closed: Vec::new() });
        let measured = self.schema(definition);
        self.open.pop();
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_as_many_steps_as_parts() {
        for (pattern, steps) in [
            ("^a", 16),
            (r"^\d{4}-\d{2}-\d{2}$", 16),
            ("a[ab]{2000}c", 2002),
            ("(a{30}){30}", 900),
            (r"(?:a[\]{)]b{10}){5,20}x", 261),
            ("(ab|c{7,}){3}", 33),
            (r"\p{Lu}{20}", 20),
            (r"[\]{5}]{40}", 40),
            (r"\{100\}[{200}]", 16),
            ("((((a{99999}{99999}){99999}", u32::MAX),
        ] {
            assert_eq!(steps_of_pattern(pattern), steps, "{pattern}");
        }
    }
}

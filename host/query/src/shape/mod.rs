//! Which fields documents have, as the schemas of their states say, and whether a query asks for others.
//!
//! Problem: a misspelt field, or a number compared with a text, finds nothing, and nobody is told why.
//!
//! Promise: a query is refused if it names a field that no document can have, or compares one with a value of a type that the field
//! never has; the refusal names the field that may have been meant. Where a schema does not say what may be there, everything may:
//! a query that can have an answer is never refused.
//!
//! ```text
//! taskInfo.stage   properties → taskInfo → properties → stage
//! tags, tags.item  properties → tags → items
//! a.b              the property "a.b" as well as b in a
//! ```
//!
//! Left out: keywords that only take values away (`not`, `enum` beside a type, bounds), and `$ref` to other documents, which allow
//! everything here.

mod names;
#[cfg(test)]
mod tests;

use std::ops::BitOr;

use serde_json::{Map, Value as Json};
use steward_model::Builtin;

use super::condition::Condition;
use super::path::{ITEM, Path};
use super::request::{Content, Request};
use super::value::ValueRange;
use names::{inside, nearest};

/// Most subschemas that are looked at for one field; beyond it everything is allowed.
const STEPS_MAX: u32 = 2000;

/// Most subschemas inside one another that are looked at.
const DEPTH_MAX: u32 = 40;

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No document has the field.
    #[error("there is no field {name}{}", nearest.as_ref().map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default())]
    Unknown {
        /// The field, as the query names it.
        name: String,
        /// A field with a similar name.
        nearest: Option<String>,
    },
    /// The field never has values of that type.
    #[error("field {name} is {is} and cannot be compared with {asked}")]
    Type {
        /// The field.
        name: String,
        /// What it is.
        is: String,
        /// With what it is compared.
        asked: &'static str,
    },
    /// The field has no value that could be compared, but others inside it may.
    #[error("field {name} is {is}, which is compared with nothing: name a field inside it{}", such_as(inside))]
    Whole {
        /// The field.
        name: String,
        /// What it is.
        is: &'static str,
        /// Some fields inside it.
        inside: Vec<String>,
    },
}

fn such_as(inside: &[String]) -> String {
    if inside.is_empty() { String::new() } else { format!(", such as {}", inside.join(" or ")) }
}

/// Types of values, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Types(u8);

impl Types {
    const NONE: Types = Types(0);
    const BOOLEAN: Types = Types(1);
    const NUMBER: Types = Types(2);
    const TEXT: Types = Types(4);
    const OBJECT: Types = Types(8);
    const LIST: Types = Types(16);
    const NULL: Types = Types(32);
    const SCALAR: Types = Types(7);
    const ANY: Types = Types(63);

    fn named(name: &str) -> Types {
        match name {
            "boolean" => Types::BOOLEAN,
            "number" | "integer" => Types::NUMBER,
            "string" => Types::TEXT,
            "object" => Types::OBJECT,
            "array" => Types::LIST,
            "null" => Types::NULL,
            _ => Types::ANY,
        }
    }

    fn of(value: &Json) -> Types {
        match value {
            Json::Null => Types::NULL,
            Json::Bool(_) => Types::BOOLEAN,
            Json::Number(_) => Types::NUMBER,
            Json::String(_) => Types::TEXT,
            Json::Array(_) => Types::LIST,
            Json::Object(_) => Types::OBJECT,
        }
    }

    fn meets(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }

    fn words(self) -> String {
        let all = [
            (Types::BOOLEAN, "true or false"),
            (Types::NUMBER, "a number"),
            (Types::TEXT, "a text"),
            (Types::OBJECT, "an object"),
            (Types::LIST, "a list"),
            (Types::NULL, "null"),
        ];
        let words: Vec<&str> = all.into_iter().filter(|(kind, _)| self.meets(*kind)).map(|(_, word)| word).collect();
        words.join(" or ")
    }
}

impl BitOr for Types {
    type Output = Types;

    fn bitor(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }
}

/// What the schema of a service's state says about fields.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    schema: &'a Json,
    /// States may have fields that the schema does not name, unless it forbids them.
    strays: bool,
}

impl<'a> Shape<'a> {
    /// Returns what `schema` says. `strays`: states may have fields that it does not name, unless it forbids them.
    pub fn of(schema: &'a Json, strays: bool) -> Shape<'a> {
        Shape { schema, strays }
    }

    /// Returns nothing if a state can have the field at a dotted path.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn has(&self, path: &str) -> Result<(), Error> {
        known(path, self.types(path), std::slice::from_ref(self))
    }

    fn types(&self, path: &str) -> Types {
        let mut look = Look { root: self.schema, strays: self.strays, steps: 0 };
        look.at(self.schema, Some(path), 0)
    }
}

/// One search for a field.
struct Look<'a> {
    root: &'a Json,
    strays: bool,
    steps: u32,
}

impl<'a> Look<'a> {
    /// Returns the types that values at `path` below a value of `schema` may have; no path: the value itself.
    fn at(&mut self, schema: &'a Json, path: Option<&str>, depth: u32) -> Types {
        self.steps += 1;
        if self.steps > STEPS_MAX || depth > DEPTH_MAX {
            return Types::ANY;
        }
        let keywords = match schema {
            Json::Bool(false) => return Types::NONE,
            Json::Object(keywords) if !keywords.is_empty() => keywords,
            _ => return Types::ANY,
        };
        let mut found = Types::NONE;
        let mut branches = false;
        if let Some(reference) = keywords.get("$ref").and_then(Json::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            let Some(target) = target else { return Types::ANY };
            branches = true;
            found = found | self.at(target, path, depth + 1);
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for branch in keywords.get(word).and_then(Json::as_array).into_iter().flatten() {
                branches = true;
                found = found | self.at(branch, path, depth + 1);
            }
        }
        for word in ["then", "else"] {
            if let Some(branch) = keywords.get(word) {
                branches = true;
                found = found | self.at(branch, path, depth + 1);
            }
        }
        let own = match path {
            None => self.own(keywords, branches, depth),
            Some(path) => self.below(keywords, branches, path, depth),
        };
        found | own
    }

    /// The types of a value itself. Items of lists are found under the name of the list.
    fn own(&mut self, keywords: &'a Map<String, Json>, branches: bool, depth: u32) -> Types {
        let mut types = match (keywords.get("type"), keywords.get("enum"), keywords.get("const")) {
            (Some(Json::String(name)), ..) => Types::named(name),
            (Some(Json::Array(names)), ..) => {
                names.iter().filter_map(Json::as_str).map(Types::named).fold(Types::NONE, BitOr::bitor)
            }
            (_, Some(Json::Array(values)), _) => values.iter().map(Types::of).fold(Types::NONE, BitOr::bitor),
            (_, _, Some(value)) => Types::of(value),
            _ if keywords.contains_key("properties") => Types::OBJECT,
            _ if branches => Types::NONE,
            _ => Types::ANY,
        };
        if types.meets(Types::LIST) {
            types = types | self.items(keywords, None, depth);
        }
        types
    }

    fn items(&mut self, keywords: &'a Map<String, Json>, path: Option<&str>, depth: u32) -> Types {
        let lists = ["items", "prefixItems"].into_iter().filter_map(|word| keywords.get(word));
        let mut any = true;
        let mut found = Types::NONE;
        for list in lists {
            any = false;
            found = found
                | match list {
                    Json::Array(each) => {
                        each.iter().map(|one| self.at(one, path, depth + 1)).fold(Types::NONE, BitOr::bitor)
                    }
                    one => self.at(one, path, depth + 1),
                };
        }
        if any { Types::ANY } else { found }
    }

    fn below(&mut self, keywords: &'a Map<String, Json>, branches: bool, path: &str, depth: u32) -> Types {
        let kind = self.own_kind(keywords, branches);
        let mut found = Types::NONE;
        if kind.meets(Types::LIST) && (keywords.contains_key("items") || kind != Types::ANY) {
            found = found | self.items(keywords, Some(path), depth);
            if let Some(rest) = path.strip_prefix(ITEM).filter(|rest| rest.is_empty() || rest.starts_with('.')) {
                found = found | self.items(keywords, rest.strip_prefix('.'), depth);
            }
        }
        if kind.meets(Types::OBJECT) {
            found = found | self.fields(keywords, branches, path, depth);
        }
        found
    }

    fn own_kind(&self, keywords: &Map<String, Json>, branches: bool) -> Types {
        match keywords.get("type") {
            Some(Json::String(name)) => Types::named(name),
            Some(Json::Array(names)) => {
                names.iter().filter_map(Json::as_str).map(Types::named).fold(Types::NONE, BitOr::bitor)
            }
            _ if branches && !keywords.contains_key("properties") => Types::NONE,
            _ if keywords.contains_key("enum") || keywords.contains_key("const") => Types::NONE,
            _ => Types::ANY,
        }
    }

    fn fields(&mut self, keywords: &'a Map<String, Json>, branches: bool, path: &str, depth: u32) -> Types {
        let properties = keywords.get("properties").and_then(Json::as_object);
        let additional = keywords.get("additionalProperties").or_else(|| keywords.get("unevaluatedProperties"));
        let mut found = Types::NONE;
        for (end, _) in path.match_indices('.').chain([(path.len(), "")]) {
            let (name, rest) = (&path[..end], path.get(end + 1..));
            match (properties.and_then(|properties| properties.get(name)), additional) {
                (Some(property), _) => found = found | self.at(property, rest, depth + 1),
                (None, Some(schema)) => found = found | self.at(schema, rest, depth + 1),
                (None, None) => {}
            }
        }
        // Nothing is said about further fields.
        let open = additional.is_none() && (self.strays || (properties.is_none() && !branches));
        if open || keywords.contains_key("patternProperties") { Types::ANY } else { found }
    }
}

fn known(path: &str, types: Types, shapes: &[Shape<'_>]) -> Result<(), Error> {
    if types == Types::NONE {
        return Err(Error::Unknown {
            name: path.to_owned(),
            nearest: nearest(path, shapes.iter().map(|shape| shape.schema)),
        });
    }
    Ok(())
}

/// Checks that documents of these shapes can have the fields that a query names, with values of the types that it compares them
/// with.
///
/// # Errors
/// [`Error`] names the first field at fault.
pub fn check(request: &Request, shapes: &[Shape<'_>]) -> Result<(), Error> {
    let fields = Fields { shapes };
    fields.condition(&request.condition, &[])?;
    request.order.iter().try_for_each(|term| fields.known(&term.path).map(|_| ()))?;
    match &request.content {
        Content::Fields(names) => names.iter().try_for_each(|name| match Builtin::named(name) {
            Some(_) => Ok(()),
            None => known(name, fields.types(name), shapes),
        }),
        Content::Links | Content::Builtin | Content::Full => Ok(()),
    }
}

struct Fields<'a> {
    shapes: &'a [Shape<'a>],
}

impl Fields<'_> {
    fn types(&self, path: &str) -> Types {
        self.shapes.iter().map(|shape| shape.types(path)).fold(Types::NONE, BitOr::bitor)
    }

    fn known(&self, path: &Path) -> Result<Types, Error> {
        if let Some(builtin) = path.builtin() {
            return Ok(of_builtin(builtin));
        }
        let types = self.types(path.as_str());
        known(path.as_str(), types, self.shapes).map(|()| types)
    }

    fn mismatch(&self, path: &str, types: Types, asked: &'static str) -> Error {
        let name = path.to_owned();
        if types.meets(Types::SCALAR) || !types.meets(Types::OBJECT) {
            return Error::Type { name, is: types.words(), asked };
        }
        let is = if types.meets(Types::LIST) { "a list of objects" } else { "an object" };
        Error::Whole { name, is, inside: inside(path, self.shapes.iter().map(|shape| shape.schema)) }
    }

    /// `beside`: the other parts of the same choice.
    fn condition(&self, condition: &Condition, beside: &[Condition]) -> Result<(), Error> {
        match condition {
            Condition::Always => Ok(()),
            Condition::Exists { path } => self.known(path).map(|_| ()),
            Condition::Not(inner) => self.condition(inner, &[]),
            Condition::And(parts) => parts.iter().try_for_each(|part| self.condition(part, &[])),
            Condition::Or(parts) => parts.iter().try_for_each(|part| self.condition(part, parts)),
            Condition::Within { path, .. }
            | Condition::Prefix { path, .. }
            | Condition::Like { path, .. }
            | Condition::Phrase { path, .. } => {
                let types = self.known(path)?;
                let (wanted, asked) = compared(condition);
                // A value whose type nobody has said is tried as each type that it may have.
                let other = |part: &Condition| {
                    matches!(part, Condition::Within { path: other, .. } if other == path)
                        && types.meets(compared(part).0)
                };
                if types.meets(wanted) || beside.iter().any(other) {
                    return Ok(());
                }
                Err(self.mismatch(path.as_str(), types, asked))
            }
        }
    }
}

/// Returns with what a leaf compares its field.
fn compared(condition: &Condition) -> (Types, &'static str) {
    match condition {
        Condition::Within { range: ValueRange::Boolean(_), .. } => (Types::BOOLEAN, "true or false"),
        Condition::Within { range: ValueRange::Numbers(_), .. } => {
            (Types::NUMBER, "a number: write texts in single quotes")
        }
        Condition::Within { range: ValueRange::Texts(_), .. }
        | Condition::Prefix { .. }
        | Condition::Like { .. }
        | Condition::Phrase { .. } => (Types::TEXT, "a text: write numbers, true and false without quotes"),
        Condition::Always | Condition::Exists { .. } | Condition::Not(_) | Condition::And(_) | Condition::Or(_) => {
            (Types::ANY, "anything")
        }
    }
}

fn of_builtin(builtin: Builtin) -> Types {
    match builtin {
        Builtin::SelfLink
        | Builtin::Kind
        | Builtin::UpdateAction
        | Builtin::Owner
        | Builtin::SourceLink
        | Builtin::AuthPrincipalLink => Types::TEXT,
        Builtin::Version | Builtin::Epoch | Builtin::UpdateTime | Builtin::ExpirationTime => Types::NUMBER,
    }
}

//! Queries over the documents of the mock host: the part of `POST /core/query-tasks` that services use in effects.
//!
//! Known are terms (TERM, PREFIX, WILDCARD) and boolean clauses, and the options COUNT, EXPAND_CONTENT and
//! INCLUDE_ALL_VERSIONS.
//!
//! Left out, and refused by name: ranges, sorting, paging, links. Test those against a real host.

use serde_json::{Value, json};

use super::world::World;
use crate::fault::{Result, invalid};

/// Returns the finished task.
pub(super) fn run(world: &World, task: &Value) -> Result<Value> {
    let spec = &task["querySpec"];
    let option =
        |name: &str| spec["options"].as_array().is_some_and(|options| options.iter().any(|option| option == name));
    for known in spec["options"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !["COUNT", "EXPAND_CONTENT", "INCLUDE_ALL_VERSIONS"].contains(&known) {
            return Err(invalid("/querySpec/options", format!("the mock host does not know the option {known}")));
        }
    }
    let mut found: Vec<(String, Value)> = Vec::new();
    for (link, record) in world.documents.iter().filter(|(_, record)| !record.deleted) {
        let oldest = if option("INCLUDE_ALL_VERSIONS") { record.first } else { record.version() };
        for version in (oldest..=record.version()).rev() {
            let Some(document) = world.full(link, version)? else { continue };
            if matches(&spec["query"], &document)? {
                let name = if option("INCLUDE_ALL_VERSIONS") {
                    format!("{link}?documentVersion={version}")
                } else {
                    link.clone()
                };
                found.push((name, document));
            }
        }
    }
    let mut results = json!({ "documentCount": found.len() });
    if !option("COUNT") {
        results["documentLinks"] = found.iter().map(|(link, _)| link.as_str()).collect();
    }
    if option("EXPAND_CONTENT") {
        results["documents"] = Value::Object(found.into_iter().collect());
    }
    let mut finished = task.clone();
    finished["taskInfo"] = json!({ "stage": "FINISHED", "isDirect": true, "durationMicros": 0 });
    finished["results"] = results;
    Ok(finished)
}

fn matches(query: &Value, document: &Value) -> Result<bool> {
    if let Some(clauses) = query["booleanClauses"].as_array() {
        let (mut optional, mut optional_met) = (false, false);
        for clause in clauses {
            let met = matches(clause, document)?;
            match clause["occurance"].as_str().unwrap_or("MUST_OCCUR") {
                "MUST_OCCUR" if !met => return Ok(false),
                "MUST_NOT_OCCUR" if met => return Ok(false),
                "SHOULD_OCCUR" => {
                    optional = true;
                    optional_met |= met;
                }
                _ => (),
            }
        }
        return Ok(!optional || optional_met);
    }
    term(&query["term"], document)
}

fn term(term: &Value, document: &Value) -> Result<bool> {
    let Some(property) = term["propertyName"].as_str() else {
        return Err(invalid("/querySpec/query/term/propertyName", "a term needs a propertyName"));
    };
    if term.get("range").is_some() {
        return Err(invalid("/querySpec/query/term/range", "the mock host does not know ranges"));
    }
    let mut value = document;
    for segment in property.split('.') {
        value = &value[segment];
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted = text(&term["matchValue"]);
    let candidates: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![text(value)],
    };
    let fits: fn(&str, &str) -> bool = match term["matchType"].as_str().unwrap_or("TERM") {
        "TERM" => |candidate, wanted| candidate == wanted,
        "PREFIX" => |candidate, wanted| candidate.starts_with(wanted),
        "WILDCARD" => wildcard,
        other => {
            return Err(invalid("/querySpec/query/term/matchType", format!("the mock host does not know {other}")));
        }
    };
    Ok(candidates.iter().any(|candidate| fits(candidate, &wanted)))
}

/// Returns true if the text fits a pattern in which `*` stands for any text.
fn wildcard(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).any(|start| text.is_char_boundary(start) && wildcard(&text[start..], rest))
}

#[cfg(test)]
mod tests {
    use super::wildcard;

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, fits) in
            [("abc", "a*", true), ("abc", "*c", true), ("abc", "a*c*", true), ("abc", "b*", false)]
        {
            assert_eq!(wildcard(text, pattern), fits, "{text} {pattern}");
        }
    }
}

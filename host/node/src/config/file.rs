//! The configuration file: TOML with the keys of the flags in snake case. Any other key is refused.

use std::collections::BTreeMap;
use std::path::Path;

use steward_model::likeness::nearest;
use toml::de::{DeTable, DeValue};

use super::error::Error;
use super::origin::{Effective, Origin};
use super::settings::{SETTINGS, Setting, Shape};
use super::whole;

/// Most bytes of a configuration file: all settings with a page of comment each.
const BYTES_MAX: u64 = 1 << 20;

/// Reads a configuration file; returns its values by key.
///
/// # Errors
/// [`Error`] names the file and the line.
pub(super) fn read(path: &Path) -> Result<BTreeMap<&'static str, Effective>, Error> {
    let text = whole::text_at(path, BYTES_MAX).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Parses the text of a configuration file; `path` is only for origins and errors.
///
/// # Errors
/// As [`read`].
pub(super) fn parse(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Effective>, Error> {
    let line_of = |offset: usize| 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        reason: error.message().trim().replace('\n', ", "),
    })?;
    let mut values = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let line = line_of(key.span().start);
        let name = key.get_ref().as_ref();
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) else {
            let meant = nearest(name, SETTINGS.iter().map(|setting| setting.key));
            return Err(Error::UnknownKey { path: path.to_owned(), line, key: name.to_owned(), meant });
        };
        let origin = Origin::File { path: path.to_owned(), line, setting };
        let refused = |reason| Error::Value { origin: origin.clone(), text: text[value.span()].to_owned(), reason };
        let text = written(setting, value.get_ref()).map_err(refused)?;
        values.insert(setting.key, Effective { setting, text, origin });
    }
    Ok(values)
}

fn written(setting: &Setting, value: &DeValue<'_>) -> Result<String, String> {
    match (setting.shape, value) {
        (Shape::Number | Shape::Text, DeValue::Integer(number)) => Ok(number.to_string()),
        (Shape::Text | Shape::List, DeValue::String(text)) => Ok(text.as_ref().to_owned()),
        (Shape::Switch, DeValue::Boolean(switch)) => Ok(switch.to_string()),
        (Shape::List, DeValue::Array(entries)) => {
            let text = |entry: &toml::Spanned<DeValue<'_>>| match entry.get_ref() {
                DeValue::String(text) => Ok(text.as_ref().to_owned()),
                _ => Err("must be an array of strings".to_owned()),
            };
            Ok(entries.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (Shape::Number, _) => Err("must be a number without quotes".to_owned()),
        (Shape::Text, _) => Err("must be a string in quotes".to_owned()),
        (Shape::Switch, _) => Err("must be true or false".to_owned()),
        (Shape::List, _) => Err("must be an array of strings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Error {
        parse(Path::new("node.toml"), text).expect_err("must be refused")
    }

    #[test]
    fn unknown_key_is_refused_with_line_and_suggestion() {
        let refused = refusal("port = 1\npeer_node = []\n");
        assert_eq!(refused.to_string(), "node.toml:2: there is no setting \"peer_node\"");
        assert_eq!(refused.hints(), ["did you mean \"peer_nodes\"?"]);
        assert_eq!(refusal("zzz = 1").hints(), ["all settings: steward config show"]);
        assert_eq!(refusal("[tls]\nkey = 1").to_string(), "node.toml:1: there is no setting \"tls\"");
    }

    #[test]
    fn value_of_the_wrong_type_is_refused_with_its_line() {
        let refused = refusal("id = 'a'\nport = '8000'\n").to_string();
        assert_eq!(refused, "node.toml:2: port: \"'8000'\" must be a number without quotes");
        assert!(refusal("peer_nodes = [1]").to_string().contains("array of strings"));
        assert!(refusal("ephemeral = 'yes'").to_string().contains("true or false"));
    }

    #[test]
    fn broken_toml_is_refused_with_its_line() {
        let refused = refusal("port = 1\nid = \n").to_string();
        assert!(refused.starts_with("node.toml:2: "), "{refused}");
    }

    #[test]
    fn sizes_may_be_plain_numbers() {
        let values = parse(Path::new("node.toml"), "max_request_bytes = 2048").expect("valid");
        assert_eq!(values["max_request_bytes"].text, "2048");
    }
}

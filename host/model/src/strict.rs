//! Reading the JSON that clients send, with objects where structs are meant; by the same code as guests read their documents.

use serde::de::{DeserializeOwned, Error};
use serde_path_to_error::{Path, Segment, Track};

use crate::leaves::pointer_step;
use crate::likeness::nearest;

// Guests are built outside of this workspace, with nothing of the host; so it is theirs.
#[path = "../../../sdk/rust/src/strict.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "a guest has a schema to ask where it is not sure, the host has not"))]
mod objects;

/// Why a text is not what it should be, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Fault {
    /// A JSON pointer to the place at fault; empty: the whole.
    pub pointer: String,
    /// What is wrong there, with line and column, and which name was meant where one is unknown.
    pub reason: String,
}

/// Reads a text.
///
/// # Errors
/// What the reader cannot take; an array in the place of an object among it, at every depth.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    let whole = |error: serde_json::Error| Fault { pointer: String::new(), reason: told(&error) };
    let text = std::str::from_utf8(text).map_err(|error| whole(serde_json::Error::custom(error)))?;
    let (mut reader, mut track) = (serde_json::Deserializer::from_str(text), Track::new());
    let read = objects::from_reader(serde_path_to_error::Deserializer::new(&mut reader, &mut track));
    let read = read.map_err(|error| Fault { pointer: pointer(&track.path()), reason: told(&error) })?;
    reader.end().map_err(whole)?;
    Ok(read.document)
}

/// Returns the place as a JSON pointer: source RFC 6901, section 3.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", pointer_step(key))),
            // It names no place in the text.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Returns what a type of the reader is called by those who read JSON; none if it is told as it should be.
fn in_plain_words(wanted: &str) -> Option<&'static str> {
    Some(match wanted {
        "a map" => "an object",
        "a sequence" => "a list",
        "a string" => "a text",
        "a boolean" => "true or false",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        wanted if wanted.starts_with("struct ") => "an object",
        _ => return None,
    })
}

/// Returns what the reader says, in words of JSON, and which field was meant where it knows none of that name.
fn told(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = place(&told);
    let of_type = told.strip_suffix(place).and_then(|told| told.split_once(", expected "));
    if let Some((begin, plain)) = of_type.and_then(|(begin, wanted)| Some((begin, in_plain_words(wanted)?))) {
        return format!("{begin}, expected {plain}{place}");
    }
    // The reader names what it knows, in its words alone: see the test.
    let Some((begin, rest)) = told.split_once("unknown field `") else { return told };
    let Some((unknown, known)) = rest.split_once('`') else { return told };
    match nearest(unknown, known.split('`').skip(1).step_by(2)) {
        Some(meant) => format!("{begin}unknown field `{unknown}`, did you mean `{meant}`?{place}"),
        None => told,
    }
}

/// Returns the end of what the reader says: line and column.
fn place(told: &str) -> &str {
    told.rfind(" at line ").map_or("", |at| &told[at..])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Quorum {
        membership_quorum: Option<u32>,
        force: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading them matters")]
    struct Inner {
        quorum: Quorum,
    }

    #[test]
    fn a_field_that_there_is_not_is_told_with_the_one_that_was_meant() {
        let refused = |text: &str| from_slice::<Inner>(text.as_bytes()).expect_err("an unknown field");
        for (text, pointer, meant) in [
            (
                r#"{"quorum": {"membershipQuorm": 1}}"#,
                "/quorum/membershipQuorm",
                "unknown field `membershipQuorm`, did you mean `membershipQuorum`?",
            ),
            (r#"{"quorum": {"FORCE": true}}"#, "/quorum/FORCE", "unknown field `FORCE`, did you mean `force`?"),
            (r#"{"qourum": {}}"#, "/qourum", "unknown field `qourum`, did you mean `quorum`?"),
        ] {
            let fault = refused(text);
            assert!(fault.reason.starts_with(&format!("{meant} at line 1 column ")), "{fault}");
            assert_eq!(fault.pointer, pointer);
        }
        let unlike = refused(r#"{"quorum": {"zzz": 1}}"#).reason;
        assert!(unlike.contains("`zzz`") && unlike.contains("`force`") && !unlike.contains("did you mean"), "{unlike}");
    }

    #[test]
    fn the_place_of_a_fault_is_a_pointer() {
        let place = |text: &str| from_slice::<BTreeMap<String, Vec<Quorum>>>(text.as_bytes()).expect_err(text).pointer;
        assert_eq!(place(r#"{"a/b~": [{}, {"force": 1}]}"#), "/a~1b~0/1/force");
        assert_eq!(place(r#"{"a": [[]]}"#), "/a/0");
        assert_eq!(place("[]"), "");
        assert_eq!(place("{}}"), "");
    }
}

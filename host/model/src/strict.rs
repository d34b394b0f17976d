//! Reading the JSON that clients send, with objects where structs are meant; by the same code as guests read their documents.

use serde::de::{DeserializeOwned, Error};

use crate::likeness::nearest;

// Guests are built outside of this workspace, with nothing of the host; so it is theirs.
#[path = "../../../sdk/rust/src/strict.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "a guest has a schema to ask where it is not sure, the host has not"))]
mod objects;

/// Returns what the reader says, and which field was meant where it knows none of that name.
pub fn told(error: &serde_json::Error) -> String {
    let told = error.to_string();
    // The reader names what it knows, in its words alone: see the test.
    let Some((begin, rest)) = told.split_once("unknown field `") else { return told };
    let Some((unknown, known)) = rest.split_once('`') else { return told };
    match nearest(unknown, known.split('`').skip(1).step_by(2)) {
        Some(meant) => format!("{begin}unknown field `{unknown}`, did you mean `{meant}`?{}", place(known)),
        None => told,
    }
}

/// Returns the end of what the reader says: line and column.
fn place(told: &str) -> &str {
    told.rfind(" at line ").map_or("", |at| &told[at..])
}

/// Reads a text.
///
/// # Errors
/// Those of the reader, with line and column; an array in the place of an object is one, at every depth.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let text = std::str::from_utf8(text).map_err(serde_json::Error::custom)?;
    objects::from_str(text).map(|read| read.document)
}

#[cfg(test)]
mod tests {
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
        let refused = |text: &str| told(&from_slice::<Inner>(text.as_bytes()).expect_err("an unknown field"));
        for (text, meant) in [
            (
                r#"{"quorum": {"membershipQuorm": 1}}"#,
                "unknown field `membershipQuorm`, did you mean `membershipQuorum`?",
            ),
            (r#"{"quorum": {"FORCE": true}}"#, "unknown field `FORCE`, did you mean `force`?"),
            (r#"{"qourum": {}}"#, "unknown field `qourum`, did you mean `quorum`?"),
        ] {
            assert!(refused(text).starts_with(&format!("{meant} at line 1 column ")), "{}", refused(text));
        }
        let unlike = refused(r#"{"quorum": {"zzz": 1}}"#);
        assert!(unlike.contains("`zzz`") && unlike.contains("`force`") && !unlike.contains("did you mean"), "{unlike}");
    }
}

//! Bodies out of words: how people write JSON on a command line. Source: the request items of HTTPie.
//!
//! ```text
//! name=c1            "name": "c1"
//! step:=5            "step": 5             any JSON after :=
//! note=@note.txt     "note": "…"           text of a file;  spec:=@spec.json  JSON of a file
//! taskInfo.stage=X   "taskInfo": {"stage": "X"}             a.b\.c=1 for a dot in a name
//! @body.json         the whole body        -  standard input,  {"a":1}  as it stands
//! ```

use steward_model::{Exact, json};

use super::error::Failure;
use super::reading;

/// Where files and standard input come from.
pub(super) trait Source {
    /// Returns the text of a file; of standard input for `-`.
    ///
    /// # Errors
    /// A failure of usage if it cannot be read.
    fn read(&mut self, name: &str) -> Result<String, Failure>;
}

/// The files and the standard input of this process.
pub(super) struct Files;

impl Source for Files {
    fn read(&mut self, name: &str) -> Result<String, Failure> {
        reading::text(name)
    }
}

/// Builds a body; none if there are no words.
///
/// Fields are set in the order of the words, over what a whole body has.
///
/// # Errors
/// A failure of usage that quotes the word.
pub(super) fn body(words: &[String], source: &mut dyn Source) -> Result<Option<Exact>, Failure> {
    let mut body = None;
    for word in words {
        match whole(word, source)? {
            Some(_) if body.is_some() => {
                return Err(Failure::usage(format!("{word:?} is a whole body, and must come before all fields")));
            }
            Some(value) => body = Some(value),
            None => set(body.get_or_insert_with(Exact::empty), word, source)?,
        }
    }
    Ok(body)
}

fn whole(word: &str, source: &mut dyn Source) -> Result<Option<Exact>, Failure> {
    if let Some(name) = word.strip_prefix('@') {
        return parse(&source.read(name)?, name).map(Some);
    }
    if word == "-" {
        return parse(&source.read(word)?, "standard input").map(Some);
    }
    if word.starts_with(['{', '[']) { parse(word, "the body").map(Some) } else { Ok(None) }
}

fn parse(text: &str, name: &str) -> Result<Exact, Failure> {
    json::check(text.as_bytes()).map_err(|error| match error {
        json::Error::Number { .. } => {
            Failure::usage(format!("{name} has a number that is too large")).detail(error.to_string())
        }
        json::Error::Syntax { .. } => Failure::usage(format!("{name} is not JSON")).detail(error.to_string()),
        json::Error::ReservedKey { .. } => Failure::usage(format!("{name} cannot be sent")).detail(error.to_string()),
    })?;
    Exact::read(text.as_bytes())
        .map_err(|error| Failure::usage(format!("{name} is not JSON")).detail(error.to_string()))
}

fn set(body: &mut Exact, word: &str, source: &mut dyn Source) -> Result<(), Failure> {
    let Some((name, value)) = word.split_once('=') else {
        return Err(Failure::usage(format!("{word:?} is not a field"))
            .hint("write name=text, name:=JSON, @file, or - for standard input"));
    };
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => match value.strip_prefix('@') {
            Some(file) => (name, parse(&source.read(file)?, file)?),
            None => {
                let quoted = |failure: Failure| failure.hint(format!("for text write {name}={value}"));
                (name, parse(value, &format!("the value of {name}")).map_err(quoted)?)
            }
        },
        None => match value.strip_prefix('@') {
            Some(file) => (name, Exact::Text(source.read(file)?)),
            None => (name, Exact::Text(value.to_owned())),
        },
    };
    let path = segments(name);
    if path.iter().any(String::is_empty) {
        return Err(Failure::usage(format!("{word:?} has a field without a name")));
    }
    place(body, &path, value)
        .ok_or_else(|| Failure::usage(format!("{name} cannot be set: what is above it is no object")))
}

/// Splits `a.b\.c` into `a` and `b.c`.
pub(super) fn segments(name: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let last = segments.last_mut().expect("there is always a segment: the first is pushed above");
        match character {
            '\\' if characters.peek() == Some(&'.') => last.extend(characters.next()),
            '.' => segments.push(String::new()),
            other => last.push(other),
        }
    }
    segments
}

fn place(body: &mut Exact, path: &[String], value: Exact) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut object = body.as_object_mut()?;
    for name in above {
        object = object.object_at(name).as_object_mut()?;
    }
    object.insert(last.clone(), value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Fake;

    impl Source for Fake {
        fn read(&mut self, name: &str) -> Result<String, Failure> {
            match name {
                "-" => Ok("{\"from\":\"stdin\"}".to_owned()),
                "body.json" => Ok("{\"a\":1,\"b\":2}".to_owned()),
                "note.txt" => Ok("two\nlines".to_owned()),
                _ => Err(Failure::usage("no such file")),
            }
        }
    }

    fn built(words: &[&str]) -> Result<Option<Exact>, Failure> {
        body(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), &mut Fake)
    }

    fn value(words: &[&str]) -> Value {
        built(words).expect("valid words").expect("a body").to_value()
    }

    #[test]
    fn fields_are_text_or_json() {
        assert_eq!(value(&["name=c1", "count:=3"]), json!({"name": "c1", "count": 3}));
        assert_eq!(
            value(&["empty=", "eq=a=b", "url=http://x:=1"]),
            json!({"empty": "", "eq": "a=b", "url": "http://x:=1"})
        );
        assert_eq!(value(&["list:=[1,2]", "none:=null"]), json!({"list": [1, 2], "none": null}));
    }

    #[test]
    fn files_and_standard_input_give_fields_or_the_whole_body() {
        assert_eq!(
            value(&["note=@note.txt", "spec:=@body.json"]),
            json!({"note": "two\nlines", "spec": {"a": 1, "b": 2}})
        );
        assert_eq!(value(&["@body.json", "b:=3"]), json!({"a": 1, "b": 3}));
        assert_eq!(value(&["-"]), json!({"from": "stdin"}));
        assert_eq!(value(&["{\"a\":[1]}"]), json!({"a": [1]}));
    }

    #[test]
    fn dots_lead_into_objects_unless_escaped() {
        assert_eq!(
            value(&["taskInfo.stage=STARTED", "taskInfo.n:=1"]),
            json!({"taskInfo": {"stage": "STARTED", "n": 1}})
        );
        assert_eq!(value(&["a\\.b=1"]), json!({"a.b": "1"}));
    }

    #[test]
    fn no_words_are_no_body() {
        assert_eq!(built(&[]), Ok(None));
    }

    #[test]
    fn wrong_words_are_refused_with_the_word() {
        for (words, part) in [
            (vec!["count"], "\"count\" is not a field"),
            (vec!["count:=abc"], "the value of count is not JSON"),
            (vec!["=1"], "without a name"),
            (vec!["a..b=1"], "without a name"),
            (vec!["@nothing"], "no such file"),
            (vec!["a=1", "@body.json"], "must come before"),
            (vec!["[1]", "a=1"], "cannot be set"),
            (vec!["a=1", "a.b=2"], "cannot be set"),
            (vec!["{\"a\":"], "the body is not JSON"),
            (vec!["{\"a\":{\"$serde_json::private::RawValue\":\"1\"}}"], "the body cannot be sent"),
            (vec!["a:={\"$serde_json::private::RawValue\":\"1\"}"], "the value of a cannot be sent"),
        ] {
            let refused = built(&words).expect_err("must be refused");
            assert!(refused.message.contains(part), "{refused:?}");
        }
    }

    #[test]
    fn text_where_json_was_announced_gets_the_hint_to_drop_the_colon() {
        assert_eq!(built(&["owner:=ana"]).expect_err("must be refused").hints, ["for text write owner=ana"]);
    }
}

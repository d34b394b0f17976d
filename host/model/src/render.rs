//! Documents as clients see them: the state, followed by the fields of the host.
//!
//! ```text
//! body     {"name":"n3","counter":3}
//! written  {"name":"n3","counter":3,"documentVersion":0,"documentEpoch":0,…,"documentOwner":"hostAtPort8000"}
//!          └── copied, never parsed ┘└── appended
//! ```
//!
//! Every GET and every answer to an update passes through here. So the stored bytes are copied and not parsed. That is
//! possible because a stored body is always one valid JSON object without fields of the host.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Document;
use crate::builtin::Builtin;

/// Room for the names and numbers of the host's fields; texts come on top.
const FIELDS_BYTES: usize = 384;

/// Returns the whole document.
///
/// `owner` is the host id of the node that owns it.
///
/// # Panics
/// If the body is no JSON object, which no document can have.
pub fn render(document: &Document, owner: &str) -> Bytes {
    let mut out = Vec::with_capacity(document.body.len() + fields_bytes(document, owner));
    render_into(&mut out, document, owner);
    Bytes::from(out)
}

/// Appends the whole document to `out`; otherwise as [`render`].
///
/// # Panics
/// If the body is no JSON object, which no document can have.
pub fn render_into(out: &mut Vec<u8>, document: &Document, owner: &str) {
    let closing = document.body.iter().rposition(|byte| *byte == b'}').expect("the body of a document is an object");
    let inside = document.body[..closing].trim_ascii_end();
    out.extend_from_slice(inside);
    if !inside.ends_with(b"{") {
        out.push(b',');
    }
    for builtin in Builtin::ALL {
        write_builtin(out, builtin, document, owner);
    }
    close_object(out);
}

/// Returns only the fields that the host keeps.
pub fn render_builtin(document: &Document, owner: &str) -> Bytes {
    let mut out = Vec::with_capacity(fields_bytes(document, owner));
    out.push(b'{');
    for builtin in Builtin::ALL {
        write_builtin(&mut out, builtin, document, owner);
    }
    close_object(&mut out);
    Bytes::from(out)
}

/// Returns only the fields with these names, those of the body in the order in which it has them, then the host's.
///
/// Names that the document does not have are left out.
pub fn render_fields(document: &Document, owner: &str, names: &[String]) -> Bytes {
    let mut out = vec![b'{'];
    let body = serde_json::from_slice::<Fields<'_>>(&document.body).unwrap_or_default();
    for (name, value) in body.0.into_iter().filter(|(name, _)| names.contains(name)) {
        write_name(&mut out, &name);
        out.extend_from_slice(value.get().as_bytes());
        out.push(b',');
    }
    for builtin in Builtin::ALL.into_iter().filter(|builtin| names.iter().any(|name| name == builtin.name())) {
        write_builtin(&mut out, builtin, document, owner);
    }
    close_object(&mut out);
    Bytes::from(out)
}

/// Appends `text` as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        out.extend_from_slice(&rest[..place]);
        write_escape(out, rest[place]);
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Appends `name` as the key of an object, with its colon.
pub fn write_name(out: &mut Vec<u8>, name: &str) {
    write_text(out, name);
    out.push(b':');
}

/// Appends an integer in decimal digits.
pub fn write_integer(out: &mut Vec<u8>, integer: impl Into<i128>) {
    const DIGITS_MAX: usize = 39;
    let integer = integer.into();
    if integer < 0 {
        out.push(b'-');
    }
    let mut magnitude = integer.unsigned_abs();
    // Division of 128 bits is slow, and nearly every number fits into 64.
    let mut digits = [0_u8; DIGITS_MAX];
    let mut first = DIGITS_MAX;
    while magnitude > u128::from(u64::MAX) {
        first -= 1;
        digits[first] = b'0' + (magnitude % 10) as u8;
        magnitude /= 10;
    }
    let mut small = magnitude as u64;
    loop {
        first -= 1;
        digits[first] = b'0' + (small % 10) as u8;
        small /= 10;
        if small == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Turns the comma behind the last field into the closing brace.
pub fn close_object(out: &mut Vec<u8>) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b'}');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        control => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(control >> 4)]);
            out.push(HEX[usize::from(control & 15)]);
        }
    }
}

/// Appends `"name":value,`, or nothing where clients see no such field.
fn write_builtin(out: &mut Vec<u8>, builtin: Builtin, document: &Document, owner: &str) {
    let field = |out: &mut Vec<u8>| {
        out.push(b'"');
        out.extend_from_slice(builtin.name().as_bytes());
        out.extend_from_slice(b"\":");
    };
    let mut number = |integer: i128| {
        field(out);
        write_integer(out, integer);
        out.push(b',');
    };
    let text = match builtin {
        Builtin::Version => return number(document.version.0.into()),
        Builtin::Epoch => return number(document.epoch.as_u64().into()),
        Builtin::UpdateTime => return number(document.updated.0.into()),
        Builtin::ExpirationTime => return number(document.expires.0.into()),
        Builtin::SelfLink => document.link.as_str(),
        Builtin::Kind => document.kind.as_str(),
        Builtin::UpdateAction => document.action.as_str(),
        Builtin::Owner => owner,
        Builtin::SourceLink if document.source.is_empty() => return,
        Builtin::SourceLink => document.source.as_str(),
        Builtin::AuthPrincipalLink if document.principal.is_empty() => return,
        Builtin::AuthPrincipalLink => document.principal.as_str(),
    };
    field(out);
    write_text(out, text);
    out.push(b',');
}

fn fields_bytes(document: &Document, owner: &str) -> usize {
    let texts = [document.link.as_str(), &document.kind, owner, &document.source, &document.principal];
    FIELDS_BYTES + texts.iter().map(|text| text.len()).sum::<usize>()
}

/// The fields of a body, their values not parsed.
#[derive(Default)]
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;
    use crate::{Link, Timestamp};

    fn document(link: &str, body: &'static str) -> Document {
        let link = Link::parse(link).expect("a valid link");
        Document {
            kind: "com:vmware:xenon:services:common:ExampleService:ExampleServiceState".to_owned(),
            action: crate::document::UpdateAction::Post,
            body: Bytes::from_static(body.as_bytes()),
            ..Document::bare(link, Timestamp(1_795_251_253_081_000))
        }
    }

    fn rendered(body: &'static str) -> String {
        let document = document("/core/examples/n3", body);
        String::from_utf8(render(&document, "hostAtPort8000").to_vec()).expect("UTF-8")
    }

    const FIELDS: &str = "\"documentVersion\":0,\"documentEpoch\":0,\"documentKind\":\
        \"com:vmware:xenon:services:common:ExampleService:ExampleServiceState\",\
        \"documentSelfLink\":\"/core/examples/n3\",\"documentUpdateTimeMicros\":1795251253081000,\
        \"documentUpdateAction\":\"POST\",\"documentExpirationTimeMicros\":0,\"documentOwner\":\"hostAtPort8000\"}";

    #[test]
    fn the_fields_of_the_host_follow_the_untouched_body() {
        assert_eq!(rendered(r#"{"name": "n3"}"#), format!("{{\"name\": \"n3\",{FIELDS}"));
        assert_eq!(rendered("{ }\n"), format!("{{{FIELDS}"));
        assert_eq!(rendered(r#"{"a":{} } "#), format!("{{\"a\":{{}},{FIELDS}"));
        assert_eq!(rendered(r#"{"a":"{"}"#), format!("{{\"a\":\"{{\",{FIELDS}"));
    }

    #[test]
    fn source_and_principal_are_shown_when_there_are_any() {
        let mut document = document("/core/examples/n3", "{}");
        document.source = "/core/examples/n2".into();
        document.principal = "/core/users/\"a\"".into();
        let json: Json = serde_json::from_slice(&render(&document, "h")).expect("JSON");
        assert_eq!(json["documentSourceLink"], "/core/examples/n2");
        assert_eq!(json["documentAuthPrincipalLink"], "/core/users/\"a\"");
        assert_eq!(json.as_object().map(|fields| fields.len()), Some(Builtin::ALL.len()));
    }

    #[test]
    fn selected_fields_are_copied_and_missing_ones_left_out() {
        let document = document("/core/examples/n3", r#"{"b":[1, 2],"a":"x","c\"":null}"#);
        let fields = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            String::from_utf8(render_fields(&document, "h", &names).to_vec()).expect("UTF-8")
        };
        assert_eq!(fields(&["b", "documentVersion", "zzz"]), r#"{"b":[1, 2],"documentVersion":0}"#);
        assert_eq!(fields(&["c\""]), r#"{"c\"":null}"#);
        assert_eq!(fields(&[]), "{}");
    }

    #[test]
    fn the_fields_of_the_host_can_stand_alone() {
        let document = document("/core/examples/n3", r#"{"b":1}"#);
        let alone = render_builtin(&document, "hostAtPort8000");
        assert_eq!(String::from_utf8_lossy(&alone), format!("{{{FIELDS}"));
    }

    proptest! {
        #[test]
        fn texts_are_written_as_json_reads_them(text in "[\\x00-\\x7f]{0,12}\\PC{0,4}") {
            let mut out = Vec::new();
            write_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("a JSON string"), text);
        }

        #[test]
        fn integers_are_written_in_full(integer in any::<i128>(), small in any::<i64>()) {
            for integer in [integer, small.into(), 0, i128::MIN, i128::MAX, u64::MAX.into()] {
                let mut out = Vec::new();
                write_integer(&mut out, integer);
                prop_assert_eq!(String::from_utf8(out).expect("digits"), integer.to_string());
            }
        }
    }
}

//! Conversion between the types of the model and those that cross the border to guests.
//!
//! The host does not trust what a guest returns. Each JSON text is checked from end to end before anybody else sees it,
//! by the rule for all texts from outside ([`json::check`]). So whatever passes here can be parsed, queried and merged
//! later.

use bytes::Bytes;
use steward_model::json;
use steward_model::operation::{Action, Cause, Effect, EffectReply, Fault, Header, Outcome, Request};
use steward_model::time::Timestamp;

use crate::bindings;
use crate::error::{CallError, Part};

/// Most bytes of the headers of an answer or of an effect: what servers and proxies commonly take.
const HEADERS_BYTES_MAX: usize = 16 << 10;

/// What a header counts for besides its name and value. Source: RFC 9113, section 6.5.2.
const HEADER_BYTES: usize = 32;

/// What an outcome is measured by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceilings {
    pub(crate) document_bytes: usize,
    pub(crate) effects: usize,
}

/// Longest message of a fault in bytes; the rest is cut off.
const FAULT_BYTES_MAX: usize = 4 << 10;

/// Longest code of a fault in bytes.
const CODE_BYTES_MAX: usize = 64;

/// Returns `bytes` as text.
pub(crate) fn text(bytes: &[u8], what: Part) -> Result<&str, CallError> {
    std::str::from_utf8(bytes).map_err(|_| CallError::NotText { what })
}

fn optional_text(bytes: Option<&Bytes>, what: Part) -> Result<Option<&str>, CallError> {
    bytes.map(|bytes| text(bytes, what)).transpose()
}

/// Borrows headers for the border.
pub(crate) fn headers_to_guest(headers: &[Header]) -> Vec<bindings::HeaderRef<'_>> {
    headers.iter().map(|header| bindings::HeaderRef { name: &header.name, value: &header.value }).collect()
}

/// Borrows a request for the border; `headers` are its own.
pub(crate) fn request_to_guest<'a>(
    request: &'a Request,
    headers: &'a [bindings::HeaderRef<'a>],
) -> Result<bindings::RequestRef<'a>, CallError> {
    Ok(bindings::RequestRef {
        link: request.link.as_str(),
        query: &request.query,
        headers,
        body: optional_text(request.body.as_ref(), Part::RequestBody)?,
        principal: &request.principal,
        cause: match request.cause {
            Cause::Client => bindings::Cause::Client,
            Cause::Effect => bindings::Cause::Effect,
            Cause::Start => bindings::Cause::Start,
            Cause::Maintenance => bindings::Cause::Maintenance,
            Cause::Reply => bindings::Cause::Reply,
        },
        now_micros: request.now.0,
        seed: request.seed,
        version: request.version.0,
        exists: request.exists,
        expires_micros: request.expires.0,
    })
}

/// Borrows the answer to an effect for the border; `headers` are its own.
pub(crate) fn reply_to_guest<'a>(
    reply: &'a EffectReply,
    headers: &'a [bindings::HeaderRef<'a>],
) -> Result<bindings::ReplyRef<'a>, CallError> {
    let body = optional_text(reply.body.as_ref(), Part::AnswerBody)?;
    Ok(bindings::ReplyRef { status: reply.status, headers, body, from: &reply.from })
}

/// Hands a fault of the host to the guest.
pub(crate) fn fault_to_guest(fault: Fault) -> bindings::Fault {
    let Fault { status, code, message, pointer } = fault;
    bindings::Fault { status, code, message, pointer }
}

/// Takes a refusal; a missing code becomes `refused`. One that cannot be told as it stands is a failure of the guest.
pub(crate) fn refusal(fault: bindings::Fault) -> CallError {
    let bindings::Fault { status, mut code, mut message, mut pointer } = fault;
    if !(400..=599).contains(&status) {
        return CallError::RefusalStatus { status };
    }
    if code.is_empty() {
        "refused".clone_into(&mut code);
    }
    // Programs compare it, and it is a part of the URN that names the kind of the problem.
    if !is_code(&code) {
        code.truncate(code.floor_char_boundary(CODE_BYTES_MAX));
        return CallError::RefusalCode { code };
    }
    for text in [&mut message, &mut pointer] {
        text.truncate(text.floor_char_boundary(FAULT_BYTES_MAX));
    }
    CallError::Refused(Fault { status, code, message, pointer })
}

/// Returns true for a name in kebab case.
fn is_code(code: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    code.len() <= CODE_BYTES_MAX
        && code.bytes().next().is_some_and(letter)
        && code.bytes().all(|byte| letter(byte) || byte == b'-')
}

/// Takes an outcome and checks all of it.
pub(crate) fn outcome(outcome: bindings::Outcome, ceilings: Ceilings) -> Result<Outcome, CallError> {
    let bindings::Outcome { document, status, headers, reply, effects, expires_micros } = outcome;
    if status != 0 && !(200..=599).contains(&status) {
        return Err(CallError::Status { status });
    }
    if effects.len() > ceilings.effects {
        return Err(CallError::TooManyEffects { count: effects.len(), max: ceilings.effects });
    }
    Ok(Outcome {
        document: document.map(|text| state(text, ceilings.document_bytes)).transpose()?,
        status,
        headers: taken_headers(headers)?,
        reply: reply.map(|text| json(text, Part::Reply)).transpose()?,
        effects: effects
            .into_iter()
            .enumerate()
            .map(|(number, taken)| effect(number, taken))
            .collect::<Result<_, _>>()?,
        expires: expires_micros.map(Timestamp),
    })
}

/// Takes a state: a JSON object of no more than `bytes_max` bytes.
pub(crate) fn state(text: String, bytes_max: usize) -> Result<Bytes, CallError> {
    if text.len() > bytes_max {
        return Err(CallError::OutputTooLarge { what: Part::Document, max: bytes_max });
    }
    let checked = json(text, Part::Document)?;
    let first = checked.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') { Ok(checked) } else { Err(CallError::NotAnObject) }
}

fn effect(number: usize, effect: bindings::Effect) -> Result<Effect, CallError> {
    let bindings::Effect { to, action, headers, body, delay_millis, reply_tag } = effect;
    if to.is_empty() {
        return Err(CallError::Effect { number, reason: "names no target in `to`" });
    }
    if delay_millis < 0 {
        return Err(CallError::Effect { number, reason: "has a negative `delay-millis`" });
    }
    Ok(Effect {
        to,
        action: match action {
            bindings::Action::Get => Action::Get,
            bindings::Action::Post => Action::Post,
            bindings::Action::Put => Action::Put,
            bindings::Action::Patch => Action::Patch,
            bindings::Action::Delete => Action::Delete,
        },
        headers: taken_headers(headers)?,
        body: body.map(|text| json(text, Part::EffectBody(number))).transpose()?,
        delay_millis,
        reply_tag,
    })
}

/// Takes headers, as far as somebody else would take them.
fn taken_headers(headers: Vec<bindings::Header>) -> Result<Vec<Header>, CallError> {
    let bytes = |header: &bindings::Header| header.name.len() + header.value.len() + HEADER_BYTES;
    if headers.iter().map(bytes).sum::<usize>() > HEADERS_BYTES_MAX {
        return Err(CallError::OutputTooLarge { what: Part::Headers, max: HEADERS_BYTES_MAX });
    }
    let lower = |bindings::Header { mut name, value }| {
        name.make_ascii_lowercase();
        Header { name, value }
    };
    Ok(headers.into_iter().map(lower).collect())
}

/// Takes a JSON text.
fn json(text: String, what: Part) -> Result<Bytes, CallError> {
    match json::check_text(&text) {
        Ok(()) => Ok(Bytes::from(text)),
        Err(fault) => Err(CallError::NotJson { what, fault }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_bounded_in_number_and_in_bytes() {
        let headers = |value: &str, count: usize| {
            let header = |_| bindings::Header { name: "X-A".to_owned(), value: value.to_owned() };
            (0..count).map(header).collect::<Vec<_>>()
        };
        let taken = taken_headers(headers("1", 100)).expect("an ordinary number");
        assert_eq!((taken.len(), taken[0].name.as_str()), (100, "x-a"));
        let refused = CallError::OutputTooLarge { what: Part::Headers, max: HEADERS_BYTES_MAX };
        assert_eq!(taken_headers(headers("", 20_000)).expect_err("too many"), refused);
        assert_eq!(taken_headers(headers(&"v".repeat(HEADERS_BYTES_MAX), 1)).expect_err("too long"), refused);
    }

    const CEILINGS: Ceilings = Ceilings { document_bytes: 100, effects: 2 };

    fn empty() -> bindings::Outcome {
        bindings::Outcome {
            document: None,
            status: 0,
            headers: Vec::new(),
            reply: None,
            effects: Vec::new(),
            expires_micros: None,
        }
    }

    fn sent(to: &str) -> bindings::Effect {
        bindings::Effect {
            to: to.to_owned(),
            action: bindings::Action::Patch,
            headers: vec![bindings::Header { name: "X-One".to_owned(), value: "1".to_owned() }],
            body: Some("{}".to_owned()),
            delay_millis: 5,
            reply_tag: "tag".to_owned(),
        }
    }

    const PRIVATE_NAME: &str = r#"{"a":[{"$serde_json::private::RawValue":"[1]"}]}"#;

    #[test]
    fn a_text_passes_only_if_any_later_parse_takes_it() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in ["", "{", "{\"a\":1,}", "{\"a\":\"\\ud800\"}", "1e999", "{} {}", "NaN", PRIVATE_NAME, deep.as_str()]
        {
            assert!(json(text.to_owned(), Part::Reply).is_err(), "{text}");
        }
        for text in ["null", " {\"a\":[1,-2,3.5,true,\"\\u00e4\"]} ", "\"x\""] {
            assert!(json(text.to_owned(), Part::Reply).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_fault_in_json_is_reported_with_its_place() {
        let refused = json("{\n  nonsense".to_owned(), Part::Document).expect_err("no JSON");
        let fault = json::Error::Syntax { reason: "key must be a string".to_owned(), line: 2, column: 3 };
        assert_eq!(refused, CallError::NotJson { what: Part::Document, fault });
    }

    #[test]
    fn a_document_is_an_object_within_its_ceiling() {
        assert_eq!(state("[1]".to_owned(), 100), Err(CallError::NotAnObject));
        assert!(state(" {\"a\":1}".to_owned(), 100).is_ok());
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        assert_eq!(state(large, 100), Err(CallError::OutputTooLarge { what: Part::Document, max: 100 }));
    }

    #[test]
    fn effects_are_counted_and_checked() {
        let many = bindings::Outcome { effects: vec![sent("/a"), sent("/b"), sent("/c")], ..empty() };
        assert_eq!(outcome(many, CEILINGS), Err(CallError::TooManyEffects { count: 3, max: 2 }));
        let nowhere = bindings::Outcome { effects: vec![sent("/a"), sent("")], ..empty() };
        assert!(matches!(outcome(nowhere, CEILINGS), Err(CallError::Effect { number: 1, .. })));
        let fine =
            outcome(bindings::Outcome { effects: vec![sent("/a")], ..empty() }, CEILINGS).expect("a fine outcome");
        assert_eq!(fine.effects[0].headers[0].name, "x-one");
    }

    #[test]
    fn a_status_that_http_does_not_have_is_refused() {
        let refused = outcome(bindings::Outcome { status: 99, ..empty() }, CEILINGS);
        assert_eq!(refused, Err(CallError::Status { status: 99 }));
    }

    fn refused_with(status: u16, code: &str) -> CallError {
        let (message, pointer) = ("no".to_owned(), String::new());
        refusal(bindings::Fault { status, code: code.to_owned(), message, pointer })
    }

    #[test]
    fn a_refusal_has_a_status_that_refuses() {
        for status in [400, 599] {
            assert!(matches!(refused_with(status, "no"), CallError::Refused(fault) if fault.status == status));
        }
        for status in [0, 100, 302, 399, 600] {
            assert_eq!(refused_with(status, "no"), CallError::RefusalStatus { status });
        }
    }

    #[test]
    fn a_code_is_a_short_name_in_kebab_case() {
        assert!(matches!(refused_with(409, ""), CallError::Refused(fault) if fault.code == "refused"));
        for code in ["no", "2-many", "a-b-3"] {
            assert!(matches!(refused_with(409, code), CallError::Refused(fault) if fault.code == code));
        }
        let long = "a".repeat(65);
        for code in ["c d\u{7}", "-a", "No", "a_b", "ä", " ", long.as_str()] {
            let CallError::RefusalCode { code: told } = refused_with(409, code) else { panic!("{code:?} is taken") };
            assert!(told.len() <= 64);
        }
    }
}

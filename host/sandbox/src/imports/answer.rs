//! What `read` and `query`, the capabilities that wait, give back to the guest.

use bytes::Bytes;
use steward_model::operation::Fault;

use crate::bindings::JsonResult;
use crate::convert;

/// What a capability that waits gives to wasmtime.
pub(super) type Answer<'a> = Box<dyn Future<Output = wasmtime::Result<JsonResult>> + Send + 'a>;

/// Turns the node's answer to `read` or `query` into what the guest gets.
pub(super) fn answer(answer: Result<Bytes, Fault>) -> JsonResult {
    let text = answer.and_then(|json| {
        String::from_utf8(json.into()).map_err(|_| Fault {
            status: 500,
            code: "not-text".to_owned(),
            message: "the host's answer is no UTF-8 text".to_owned(),
            pointer: String::new(),
        })
    });
    (text.map_err(convert::fault_to_guest),)
}

//! The handlers: what a service does on create, start, stop, the five actions, maintenance, and answers to effects.

use std::sync::Arc;

use steward_model::operation::{EffectReply, Outcome, Request};
use steward_model::service::Handler;

use super::{HandlerFunction, PLAIN_HANDLERS, resolve};
use crate::convert::{self, Ceilings};
use crate::error::{CallError, Part};
use crate::imports::Imports;
use crate::instance::Instance;
use crate::instance::pool::Pool;

/// Which handler to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// The document is created.
    Create,
    /// This node begins to own the document.
    Start,
    /// The document is deleted or expires.
    Stop,
    /// A GET.
    Get,
    /// A POST.
    Post,
    /// A PUT.
    Put,
    /// A PATCH.
    Patch,
    /// A DELETE.
    Delete,
    /// The maintenance interval has passed.
    Maintenance,
    /// An effect was answered or given up.
    Reply {
        /// The tag that the effect had.
        tag: &'a str,
        /// The answer.
        reply: &'a EffectReply,
    },
}

impl Occasion<'_> {
    /// Returns the handler that runs on this occasion.
    pub fn handler(&self) -> Handler {
        match self {
            Occasion::Create => Handler::HandleCreate,
            Occasion::Start => Handler::HandleStart,
            Occasion::Stop => Handler::HandleStop,
            Occasion::Get => Handler::HandleGet,
            Occasion::Post => Handler::HandlePost,
            Occasion::Put => Handler::HandlePut,
            Occasion::Patch => Handler::HandlePatch,
            Occasion::Delete => Handler::HandleDelete,
            Occasion::Maintenance => Handler::HandleMaintenance,
            Occasion::Reply { .. } => Handler::HandleReply,
        }
    }
}

/// One call of one handler.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Why the guest is called, which says by what handler.
    pub occasion: Occasion<'a>,
    /// The state of the document, JSON in UTF-8.
    pub document: &'a [u8],
    /// What the handler is told besides.
    pub request: &'a Request,
}

/// Calls a handler and checks what it returns.
pub(crate) async fn run(
    pool: &Pool,
    call: Call<'_>,
    ceilings: Ceilings,
    host: &Arc<dyn Imports>,
) -> Result<Outcome, CallError> {
    let document = convert::text(call.document, Part::Document)?;
    let headers = convert::headers_to_guest(&call.request.headers);
    let request = convert::request_to_guest(call.request, &headers)?;
    let handler = call.occasion.handler();
    let (decided,) = match call.occasion {
        Occasion::Reply { tag, reply } => {
            let reply_headers = convert::headers_to_guest(&reply.headers);
            let reply = convert::reply_to_guest(reply, &reply_headers)?;
            let pick = |instance: &mut Instance| {
                let (known, instance, store, exports) = instance.parts();
                resolve(&mut known.reply, handler, exports, instance, store)
            };
            pool.call(host, pick, (document, tag, reply, request)).await?
        }
        Occasion::Create
        | Occasion::Start
        | Occasion::Stop
        | Occasion::Get
        | Occasion::Post
        | Occasion::Put
        | Occasion::Patch
        | Occasion::Delete
        | Occasion::Maintenance => pool.call(host, |instance| plain(instance, handler), (document, request)).await?,
    };
    convert::outcome(decided.map_err(convert::refusal)?, ceilings)
}

fn plain(instance: &mut Instance, handler: Handler) -> Result<HandlerFunction, CallError> {
    let number = handler as usize;
    assert!(number < PLAIN_HANDLERS, "{handler} takes other arguments than a document and a request");
    let (known, instance, store, exports) = instance.parts();
    resolve(&mut known.plain[number], handler, exports, instance, store)
}

//! Carries out the effects of guests: requests to other documents, to themselves, and to allow-listed hosts outside.
//!
//! Problem: an effect is committed together with the state that wanted it, and must then happen although this node may
//! be killed at any instant between the commit, the request, the answer and the note that it was answered.
//!
//! Promise: an effect stays in the outbox, which is part of the replicated state, until it is settled, and it is settled
//! only after it was answered for good or given up. It carries its key as `Idempotency-Key`; documents of ours remember
//! the key and do not act twice. Effects of one document go out in their order, one at a time; a delayed one when it is due.
//!
//! What counts as an answer: what the target itself decides. What this host, its disk or its group cannot do now, and what
//! passes by itself (no connection, 429, 502, 503, 504), is tried again with growing pauses, for as long as targets remember
//! keys. While a factory is undeployed, effects for its documents are held, for as long as that lasts; so are those of its own
//! documents that want an answer, for nobody could take it. Sending is bound to the reign in which the document was claimed: when that ends, others send.

mod away;
mod carry;
mod outside;
mod places;
mod send;
mod sent;
mod work;

pub(crate) use away::awaited;
pub(crate) use work::Outbox;

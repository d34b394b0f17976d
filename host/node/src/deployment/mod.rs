//! Deployments: what would happen if a guest module answered at a path, and what must not happen.
//!
//! ```text
//! POST /core/modules ───► plan ──── shown, with the refusal if there is one
//! POST /core/factories ─► check ─► decide ─► system group ─► service table ─► 201
//! PATCH …/<path> ───────►   │        └── once more, while nobody writes at the path
//!                           └── stored states must stay readable, paths must be free
//! ```
//!
//! The rules of the registry are not repeated here. A plan applies its command to a copy of the cluster state and
//! reports the outcome. Checks that need the documents or the host are here.

mod change;
mod check;
mod decide;
mod deployments;
mod error;
mod migration;
mod plan;
mod stored;
mod trial;

pub(crate) use change::{Changed, Wanted};
pub(crate) use deployments::{Bounds, Deployments};
pub(crate) use error::Error;
pub(crate) use migration::Place;

//! Scripts: services that are texts, run by a component of ours that all of them share.
//!
//! **Problem.** An author of a script has no compiler, and an engine for scripts is a megabyte: too much to compile and to keep for
//! each of them.
//!
//! **Promise.** A script module is bytes like any other module: it has a digest, is kept, sent to other nodes and rolled back to
//! without anybody looking into it. In form it is a component with nothing in it but the texts, see [`file`]. Where it is made
//! ready, the script runner takes the component's place: compiled once per node, instantiated as often as it is needed, and given
//! the texts through an import that no other guest has. Everything else, from limits to the log, is as for any guest.
//!
//! There is a runner for each [`file::Interpreter`]: the language of a script says which.
//!
//! **TypeScript** is kept as it was written. Its types are taken out when the module is made ready, by the runner itself; lines stay
//! where they are, so that what is told about a line is true for the author's own text.

mod file;
mod mixed;
mod runner;
mod source;
mod strip;
mod surroundings;

pub(crate) use file::Interpreter;
pub use file::{Language, Script, ScriptFile};
pub use mixed::Mixed;
pub(crate) use runner::{Runner, Runners, WORLD};
pub(crate) use source::{Source, Sources};
pub(crate) use strip::sources;
pub(crate) use surroundings::Surroundings;

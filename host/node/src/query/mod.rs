//! Queries over the documents of this node: [`Queries`] answers HTTP clients and guests.
//!
//! The languages, the plan and the evaluation are the crate `steward_query`, which knows neither partitions nor tasks. Here it gets its
//! documents: the partitions of this node ([`documents`]), their field index, and states of former shapes, migrated on their way.

mod aim;
mod asked;
mod documents;
mod indexed;
mod merge;
mod migration;
mod places;
mod problem;
mod queries;
mod refusal;

pub(crate) use queries::{OtherNodes, Queries, Shares};
pub(crate) use refusal::Refusal;

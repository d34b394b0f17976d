//! What the head of a request says, in words and without a node: the entry of the fuzz target `request_heads`.
//!
//! Method, path, query and headers are bytes from outside that many readers look into, and none of these readers needs
//! a node. So the readers that a real request meets are called here one after the other, on a head that hyper would
//! have let through.

use std::fmt::Write as _;

use http::request::Parts;
use steward_model::problem::Problem;

use super::decode::{Head, number};
use super::error::Error;
use super::freshness::freshness;
use super::route::route;
use crate::operation::Freshness;

/// Returns who would answer a request with this head, and what it asks, in words that are for people.
///
/// # Errors
/// The problem with which it would be refused.
pub fn describe(head: &Parts) -> Result<String, Box<Problem>> {
    read(head).map_err(|error| Box::new(error.problem()))
}

fn read(parts: &Parts) -> Result<String, Error> {
    let mut head = Head::default();
    head.read(&parts.headers)?;
    let mut words = format!("{} {:?}", parts.method, route(parts.uri.path())?);
    if let Some(version) = number(parts.uri.query().unwrap_or_default(), "documentVersion")? {
        let _ = write!(words, " in version {version}");
    }
    let query = parts.uri.query().unwrap_or_default();
    if let Freshness::Copy { at_least } = freshness(query, head.at_least.as_deref())? {
        let _ = write!(words, " of a copy at {}", at_least.map(|at| at.to_string()).unwrap_or_default());
    }
    let _ = write!(words, " as {head:?}");
    Ok(words)
}

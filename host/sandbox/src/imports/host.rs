//! The trait by which the node offers its capabilities to a guest, during one call.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::operation::Fault;

use crate::exchange::{Broken, Stream};
use wasmtime::component::{ComponentType, Lift};

/// How urgent a line of a guest's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    /// Each step.
    #[component(name = "trace")]
    Trace,
    /// A branch not usually taken.
    #[component(name = "debug")]
    Debug,
    /// A rare change of state.
    #[component(name = "info")]
    Info,
    /// Someone should look tomorrow.
    #[component(name = "warn")]
    Warn,
    /// Something broke.
    #[component(name = "error")]
    Error,
}

/// What the node offers to the guest during one call.
///
/// Texts come from the guest: they are bounded (`Config::output_bytes_max`) and otherwise unchecked.
pub trait Imports: Send + Sync {
    /// Takes one line for the log. `fields` is meant to be a JSON object, or is empty.
    fn log(&self, level: Level, message: &str, fields: &str);

    /// Adds `value`, a finite number, to the statistic `name` of the document.
    fn stat(&self, name: &str, value: f64);

    /// Returns the committed state of another document, JSON in UTF-8.
    fn read<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>>;

    /// Runs a direct query and returns the finished task, JSON in UTF-8.
    fn query<'a>(&'a self, spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>>;

    /// Sends a request of an HTTP component to a host outside, if it may address that one. Denies all unless the node offers more.
    ///
    /// # Errors
    /// [`Broken`] tells the guest why there is no answer; [`Broken::HttpRequestDenied`]: it may not.
    fn send(&self, request: http::Request<Stream>) -> BoxFuture<'static, Result<http::Response<Stream>, Broken>> {
        drop(request);
        Box::pin(std::future::ready(Err(Broken::HttpRequestDenied)))
    }
}

/// A host that hears nothing and knows nothing: for calls that must not depend on the world, such as `describe`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Silent {
    fn refusal() -> Fault {
        Fault {
            status: 400,
            code: "not-available".to_owned(),
            message: "other documents cannot be read in this call".to_owned(),
            pointer: String::new(),
        }
    }
}

impl Imports for Silent {
    fn log(&self, _level: Level, _message: &str, _fields: &str) {}

    fn stat(&self, _name: &str, _value: f64) {}

    fn read<'a>(&'a self, _link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(std::future::ready(Err(Silent::refusal())))
    }

    fn query<'a>(&'a self, _spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(std::future::ready(Err(Silent::refusal())))
    }
}

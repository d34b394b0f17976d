//! A request as the host's own services see it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{ALLOW, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Body;
use serde::de::IgnoredAny;
use steward_model::leaves::pointer_step;
use steward_model::strict;

use super::arriving::Arriving;
use super::decode::Head;
use super::encode::{self, Answer};
use super::error::Error;
use super::methods::{Methods, is_listed};
use super::{Http, body};

pub(super) struct HostRequest {
    pub(super) parts: Parts,
    pub(super) head: Head,
    pub(super) body: Arriving,
}

impl HostRequest {
    /// The path as the request line has it.
    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The query part of the URI; empty if there is none.
    pub(super) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// True if the request has one of the `allowed` methods, and is not OPTIONS, which [`HostRequest::other`] answers.
    pub(super) fn is_one_of(&self, allowed: &str) -> bool {
        let method = &self.parts.method;
        *method != Method::OPTIONS && is_listed(allowed, method)
    }

    /// Returns what the request wants of a place with these methods.
    ///
    /// # Errors
    /// [`Error::Method`] if its method is none of them.
    pub(super) fn act<Act: Copy>(&self, methods: &Methods<Act>) -> Result<Act, Error> {
        methods.wanted(&self.parts.method).ok_or_else(|| self.lacks(methods.allowed()))
    }

    /// Returns the response to OPTIONS, or the error for every other method besides `allowed`.
    pub(super) fn other(&self, allowed: String) -> Result<Answer, Error> {
        if self.parts.method != Method::OPTIONS {
            return Err(self.lacks(allowed));
        }
        let mut answer = encode::empty(StatusCode::NO_CONTENT);
        if let Ok(allowed) = HeaderValue::try_from(allowed) {
            answer.headers_mut().insert(ALLOW, allowed);
        }
        Ok(answer)
    }

    /// Refuses a change that has preconditions: what the host keeps of its own has no entity tags, and a change whose condition nobody has
    /// looked at must not be made. Source: RFC 9110, section 13.1.
    ///
    /// # Errors
    /// [`Error::Header`] names the header.
    pub(super) fn unconditional(&self) -> Result<(), Error> {
        let named = [(IF_MATCH, "If-Match"), (IF_NONE_MATCH, "If-None-Match")];
        match named.into_iter().find(|(header, _)| self.parts.headers.contains_key(header)) {
            Some((_, name)) if !self.parts.method.is_safe() => {
                let reason = "is for documents of services, and this has no entity tag: send it without".to_owned();
                Err(Error::Header { name, reason })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn lacks(&self, allowed: String) -> Error {
        Error::Method { method: self.parts.method.clone(), path: self.path().to_owned(), allowed, hint: None }
    }

    /// Takes the body, which must be JSON; empty if there is none.
    ///
    /// # Errors
    /// [`Error`] if it is too large, does not arrive, or is no JSON.
    pub(super) async fn json(&mut self, http: &Http) -> Result<Bytes, Error> {
        let body = std::mem::take(&mut self.body);
        body::foreseen(&self.head, &self.parts, &body)?;
        let (max, mut held) = (http.parts.bounds.request_bytes_max, http.bodies.nothing());
        let body = body::received(&self.head, &self.parts, body, max, &mut held).await?;
        Ok(body::checked(&self.head, &self.parts.headers, body)?.unwrap_or_default())
    }

    /// Returns the request once it is sure that its body says nothing, if it is a DELETE. What a client says there it takes for a condition of
    /// what is deleted, or for a part of it; `parameters` are those that are read instead.
    ///
    /// # Errors
    /// [`Error::Field`] names what is said; those of [`HostRequest::json`].
    pub(super) async fn saying_nothing(mut self, http: &Http, parameters: &[&str]) -> Result<HostRequest, Error> {
        if self.parts.method != Method::DELETE || self.body.is_end_stream() {
            return Ok(self);
        }
        let body = self.json(http).await?;
        if body.is_empty() {
            return Ok(self);
        }
        let fields: BTreeMap<String, IgnoredAny> = strict::from_slice(&body)?;
        let Some(field) = fields.into_keys().next() else { return Ok(self) };
        let instead = match parameters.contains(&field.as_str()) {
            true => format!("write it as a query parameter, ?{field}=…"),
            false => "send it without".to_owned(),
        };
        let reason = format!("is not read, for a DELETE has no body here: {instead}");
        Err(Error::Field { pointer: format!("/{}", pointer_step(&field)), reason })
    }
}

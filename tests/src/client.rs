//! A small HTTP client that shows all of an answer, and treats no status as a failure.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
}

impl Answer {
    /// Returns the body as JSON; null if it is empty.
    ///
    /// # Panics
    /// If the body is something else.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        let text = || String::from_utf8_lossy(&self.body).into_owned();
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the body: {}", text()))
    }

    /// Returns a header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Returns the sum of a counter over all its labels, if this is the text of `/metrics`; zero if it has never counted.
    pub fn counted(&self, name: &str) -> u64 {
        let text = String::from_utf8_lossy(&self.body);
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<u64>().ok())?
        };
        text.lines().filter_map(value).sum()
    }

    /// Returns a measure without labels, if this is the text of `/metrics`.
    ///
    /// # Panics
    /// If it is not there.
    pub fn measured(&self, name: &str) -> f64 {
        let text = String::from_utf8_lossy(&self.body);
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("there is no {name} in\n{text}"))
    }

    /// Returns the answer if it has this status.
    ///
    /// # Panics
    /// If it has another one, with the whole answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// Sends requests to one host.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    hyper: Hyper<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// Returns a client of the host at `base`, such as `http://127.0.0.1:8000`.
    pub fn new(base: &str) -> Client {
        Client { base: base.to_owned(), hyper: Hyper::builder(TokioExecutor::new()).build_http() }
    }

    /// Returns the address of the host.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// If no answer comes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let exchange = async {
            let response = self.hyper.request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(ANSWER_WITHIN, exchange).await.context("no answer in time")?.context(path.to_owned())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        let text = body.map(Value::to_string).unwrap_or_default();
        match self.send(method.clone(), path, headers, text).await {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error:#}"),
        }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// Creates.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// Changes.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// Sends JSON with headers of its own.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn with_headers(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        match self.send(method.clone(), path, &all, text).await {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error:#}"),
        }
    }

    /// Uploads a component and mounts it at its default path, or at `factory`. Returns the path.
    ///
    /// # Panics
    /// If the host refuses.
    pub async fn deploy(&self, component: &[u8], factory: Option<&str>) -> String {
        let answer = self.upload_for(component, factory).await.expect(201);
        let module = answer.json();
        let default = module["descriptor"]["factory"].as_str().unwrap_or_default().to_owned();
        let path = factory.map_or(default, str::to_owned);
        let mount = serde_json::json!({ "documentSelfLink": path, "moduleDigest": module["digest"] });
        self.post("/core/factories", &mount).await.expect(201);
        path
    }

    /// Uploads a component.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn upload(&self, component: &[u8]) -> Answer {
        self.upload_for(component, None).await
    }

    /// Uploads a component that is to answer at `factory`, or at its own path.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn upload_for(&self, component: &[u8], factory: Option<&str>) -> Answer {
        let headers = [("content-type", "application/wasm")];
        let path = factory.map_or_else(|| "/core/modules".to_owned(), |path| format!("/core/modules?factory={path}"));
        let sent = self.send(Method::POST, &path, &headers, Bytes::copy_from_slice(component)).await;
        sent.unwrap_or_else(|error| panic!("upload: {error:#}"))
    }
}

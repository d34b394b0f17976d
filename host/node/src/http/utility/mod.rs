//! Utility endpoints: what every service answers below its own path, a line each in the match of [`answer`].

mod available;
mod config;
mod history;
mod schema;
mod stats;
mod template;

use std::sync::Arc;

use http::header::ALLOW;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use steward_model::service::{Handler, NativePatch, ServiceOption};
use steward_model::{Action, Link};

use super::encode::Answer;
use super::error::Error;
use super::host_request::HostRequest;
use super::route::Utility;
use super::{Http, problem};
use crate::operation;
use crate::service::{Found, Service};

const READ_ONLY: &str = "GET, HEAD, OPTIONS";

/// Answers a request for a utility endpoint of the service, factory or document at `link`.
///
/// # Errors
/// [`Error`] if there is no such service or document, or the endpoint only tells and the request wants more.
pub(super) async fn answer(
    http: &Arc<Http>,
    link: &Link,
    utility: Utility,
    asked: HostRequest,
) -> Result<Answer, Error> {
    let found = find(http, link)?;
    if let Utility::Later(what) = utility {
        return Err(Error::NotOffered { path: asked.path().to_owned(), what });
    }
    if !matches!(asked.parts.method, Method::GET | Method::HEAD) {
        return asked.other(READ_ONLY);
    }
    match utility {
        Utility::Stats => stats::answer(http, link, &found),
        Utility::Config => config::answer(http, &found),
        Utility::Available => available::answer(http, link, &found),
        Utility::Template => Ok(template::answer(http, &found)),
        Utility::History => history::answer(http, link, &found, asked.query()).await,
        Utility::Later(what) => Err(Error::NotOffered { path: asked.path().to_owned(), what }),
    }
}

/// Answers OPTIONS: the methods that the service has at `link`, and its template.
///
/// # Errors
/// [`Error::Operation`] if nothing is there.
pub(super) fn options(http: &Http, link: &Link) -> Result<Answer, Error> {
    let found = find(http, link)?;
    let mut answer = template::answer(http, &found);
    if let Ok(methods) = HeaderValue::try_from(problem::methods(&allowed(&found))) {
        answer.headers_mut().insert(ALLOW, methods);
    }
    Ok(answer)
}

fn find(http: &Http, link: &Link) -> Result<Found, Error> {
    let services = http.operations().services();
    Ok(services.find(link).ok_or_else(|| operation::Error::nowhere(services, link))?)
}

/// Returns what can be asked at a path.
fn allowed(found: &Found) -> Vec<Action> {
    let handled = |service: &Service, handler, action| service.handles(handler).then_some(action);
    match found {
        Found::Factory(_) => vec![Action::Get, Action::Post],
        Found::Stateless(service) => [
            handled(service, Handler::HandleGet, Action::Get),
            handled(service, Handler::HandlePost, Action::Post),
            handled(service, Handler::HandlePut, Action::Put),
            handled(service, Handler::HandlePatch, Action::Patch),
            handled(service, Handler::HandleDelete, Action::Delete),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Found::Child(service) => {
            let mutable = !service.has(ServiceOption::Immutable);
            let merges = service.descriptor().patch == NativePatch::Merge;
            let patches = mutable && (merges || service.handles(Handler::HandlePatch));
            let posts = mutable && service.handles(Handler::HandlePost);
            let all = [
                Some(Action::Get),
                posts.then_some(Action::Post),
                mutable.then_some(Action::Put),
                patches.then_some(Action::Patch),
                Some(Action::Delete),
            ];
            all.into_iter().flatten().collect()
        }
    }
}

/// Returns the words of the options of a service.
fn option_words(service: &Service) -> Vec<Value> {
    service.descriptor().options.iter().map(|option| json!(option)).collect()
}

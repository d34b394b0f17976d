//! Utility endpoints: what every service answers below its own path. Each is one line in a match of [`answer`].

mod available;
mod config;
mod effects;
mod history;
mod schema;
mod stats;
mod template;

use std::sync::Arc;

use http::HeaderValue;
use http::header::ALLOW;
use steward_model::Link;

use super::encode::Answer;
use super::error::Error;
use super::host_request::HostRequest;
use super::methods::{Methods, READ_ONLY};
use super::route::{Told, Utility};
use super::{Http, parameters};
use crate::operation;
use crate::service::Found;
pub(super) use effects::tell_what_is_left;
pub use schema::fullest_body;
pub(crate) use schema::fullest_that_fits;

/// What can be done with what has still to be sent.
#[derive(Debug, Clone, Copy)]
enum OnEffects {
    Show,
    GiveUp,
}

/// Query parameters of [`OnEffects::GiveUp`].
const TO_GIVE_UP: [&str; 1] = ["tag"];

const OF_EFFECTS: Methods<OnEffects> =
    Methods(&[("GET", OnEffects::Show), ("HEAD", OnEffects::Show), ("DELETE", OnEffects::GiveUp)]);

/// Returns the methods that a utility endpoint has at `link`, as `Allow` lists them; none if there is no such endpoint.
pub(super) fn methods_of(http: &Http, link: &Link, utility: Utility) -> Option<String> {
    match utility {
        Utility::Told(_) => find(http, link).is_ok().then(|| READ_ONLY.allowed()),
        Utility::Effects => effects::Whose::of(http, link).is_ok().then(|| OF_EFFECTS.allowed()),
        Utility::Later(_) => None,
    }
}

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
    let told = match utility {
        Utility::Effects => return of_effects(http, link, asked).await,
        Utility::Later(what) => {
            find(http, link)?;
            return Err(Error::NotOffered { path: asked.path().to_owned(), what });
        }
        Utility::Told(told) => told,
    };
    let found = find(http, link)?;
    if asked.act(&READ_ONLY).is_err() {
        return asked.other(READ_ONLY.allowed());
    }
    let known: &[&str] = match told {
        Told::History => &history::PARAMETERS,
        Told::Stats | Told::Config | Told::Available | Told::Template => &[],
    };
    parameters::only(asked.query(), known)?;
    match told {
        Told::Stats => stats::answer(http, link, &found),
        Told::Config => config::answer(http, &found),
        Told::Available => available::answer(http, link, &found).await,
        Told::Template => Ok(template::answer(http, &found)),
        Told::History => history::answer(http, link, &found, asked.query()).await,
    }
}

/// Answers for what has still to be sent, which may outlast the service that wanted it.
async fn of_effects(http: &Arc<Http>, link: &Link, asked: HostRequest) -> Result<Answer, Error> {
    let whose = effects::Whose::of(http, link)?;
    asked.unconditional()?;
    let Ok(act) = asked.act(&OF_EFFECTS) else { return asked.other(OF_EFFECTS.allowed()) };
    match act {
        OnEffects::Show => {
            parameters::only(asked.query(), &effects::PARAMETERS)?;
            effects::answer(http, whose, asked.query()).await
        }
        OnEffects::GiveUp => {
            parameters::only(asked.query(), &TO_GIVE_UP)?;
            let asked = asked.saying_nothing(http, &TO_GIVE_UP).await?;
            effects::give_up(http, &whose, asked.query()).await
        }
    }
}

/// Answers OPTIONS: the methods that the service has at `link`, and its template.
///
/// # Errors
/// [`Error::Operation`] if nothing is there.
pub(super) fn options(http: &Http, link: &Link) -> Result<Answer, Error> {
    let found = find(http, link)?;
    let mut answer = template::answer(http, &found);
    if let Ok(methods) = HeaderValue::try_from(operation::methods(&found.actions()).join(", ")) {
        answer.headers_mut().insert(ALLOW, methods);
    }
    Ok(answer)
}

/// Returns the refusal of a method that no service has, with those that there are at `link`.
///
/// # Errors
/// [`Error::Operation`] if nothing is there.
pub(super) fn unknown_method(http: &Http, link: &Link, asked: &HostRequest) -> Result<Answer, Error> {
    let allowed = operation::methods(&find(http, link)?.actions()).join(", ");
    asked.other(allowed)
}

fn find(http: &Http, link: &Link) -> Result<Found, Error> {
    let services = http.operations().services();
    Ok(services.find(link).ok_or_else(|| operation::Error::nowhere(services, link))?)
}

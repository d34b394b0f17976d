//! The stage in which a service without documents answers.

use steward_model::Action;
use steward_sandbox::Occasion;

use super::given::Given;
use super::request::{Content, Reply, Status};
use super::road::Asking;
use super::{Error, guest};

/// Lets a stateless service answer.
///
/// # Errors
/// [`Error`] if it has no handler for the action, refuses, or wants effects: there is no document to keep them in.
pub(super) async fn stateless(asking: Asking<'_>) -> Result<Reply, Error> {
    let Asking { operations, operation, service, .. } = asking;
    let occasion = match operation.action {
        Action::Get => Occasion::Get,
        Action::Post => Occasion::Post,
        Action::Put => Occasion::Put,
        Action::Patch => Occasion::Patch,
        Action::Delete => Occasion::Delete,
    };
    // An HTTP component answers clients of HTTP, see `exchange`: it takes no effects, and guests read nothing there.
    let is_http = service.module.is_http();
    if is_http || !service.handles(occasion.handler()) {
        let (link, action) = (operation.link.clone(), operation.action);
        let allowed = if is_http { Vec::new() } else { service.actions() };
        return Err(Error::NotSupported { link, action, allowed });
    }
    let request = guest::request_of(operation, None, Given::drawn(operations));
    let outcome = guest::call(asking, occasion, b"{}", &request).await?;
    if outcome.document.is_some() || !outcome.effects.is_empty() {
        let reason =
            "a stateless service returned a state or effects; it has no document to commit them with".to_owned();
        return Err(Error::Outcome { service: service.path.clone(), reason });
    }
    let status = if outcome.status == 0 { Status::Ok } else { Status::Chosen(outcome.status) };
    let content = outcome.reply.map_or(Content::Empty, Content::Json);
    Ok(Reply { content, headers: outcome.headers, ..Reply::empty(status) })
}

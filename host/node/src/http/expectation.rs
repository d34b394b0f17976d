//! Refusals that need no body: a client that asks first whether to send one (`Expect: 100-continue`, RFC 9110, section 10.1.1) is told
//! before it sends.
//!
//! Such a body is asked for by reading it. So all that the head of a request decides is decided before that: for every request what
//! costs nothing, and for one that asks first also what has to be looked up.
//!
//! Left out: what a repeat under an idempotency key would get, since only the body tells whether it is one; and what services refuse.

use std::sync::Arc;

use steward_model::operation::Cause;
use steward_model::service::Handler;
use steward_model::{Action, Link};

use super::Http;
use super::decode::Head;
use super::error::Error;
use crate::operation::{self, Purpose, Wait};
use crate::service::Found;

/// Looks up what would refuse an update whatever its body says.
///
/// # Errors
/// [`Error::Operation`] if nothing is at `link`, it does not take the action, or the document has another entity tag than is demanded.
pub(super) async fn foreseen(http: &Arc<Http>, action: Action, link: &Link, head: &Head) -> Result<(), Error> {
    let services = http.operations().services();
    let found = services.find(link).ok_or_else(|| operation::Error::nowhere(services, link))?;
    let allowed = found.actions();
    if !allowed.contains(&action) {
        return Err(operation::Error::NotSupported { link: link.clone(), action, allowed }.into());
    }
    let Found::Child(service) = found else { return Ok(()) };
    // What is not there is deleted as well as what is, and a service that answers reads itself is not to be asked for one.
    if action == Action::Delete || service.handles(Handler::HandleGet) || head.idempotency_key.is_some() {
        return Ok(());
    }
    let operations = http.operations();
    let mut read = operations.own(head.id.clone(), Action::Get, link.clone(), Cause::Client, Purpose::Act);
    read.condition.matching.clone_from(&head.demands.condition.matching);
    if let Some(wait) = head.wait {
        (read.deadline, read.wait) = (operations.clock().now().plus(wait), Wait { span: wait, said: true });
    }
    operations.submit(Box::new(read)).await?;
    Ok(())
}

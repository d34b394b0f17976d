//! `/available`: 200 if the service or document can be used here now, 503 if not.

use http::StatusCode;
use steward_model::Link;

use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::operation;
use crate::service::Found;

/// Tells whether what is at `link` can be used.
///
/// # Errors
/// [`Error::NotAvailable`] with the reason if not, [`Error::Operation`] if there is no such document.
pub(super) async fn answer(http: &Http, link: &Link, found: &Found) -> Result<Answer, Error> {
    let problem = match found {
        Found::Factory(service) | Found::Stateless(service) => http.problem_of(service),
        Found::Child(service) => {
            let partition = http.operations().partitions().of(link, service.lane());
            http.operations().fence(link, partition).await?;
            let document = partition.read(link)?;
            let now = http.operations().clock().wall_time();
            if !document.is_some_and(|document| document.is_there(now)) {
                return Err(operation::Error::NotFound { link: link.clone() }.into());
            }
            partition.problem()
        }
    };
    match problem {
        Some(reason) => Err(Error::NotAvailable { subject: link.to_string(), reason }),
        None => Ok(encode::empty(StatusCode::OK)),
    }
}

//! How an HTTP component is asked. That is beside the road: its bodies stream, and there is no document.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::Body;
use steward_model::Action;
use steward_model::operation::Cause;
use steward_sandbox::Answer;
use tracing::Instrument;

use super::publish::{By, Ending};
use super::{Error, Operations, Purpose, admit, guest, publish, stage};
use crate::service::Service;

impl Operations {
    /// Lets an HTTP component answer a request of a client, which has the name `id`; the body of the answer carries the call on.
    /// `client_max` is how long the client may be silent while the guest waits for its body.
    ///
    /// # Errors
    /// [`Error::Stopping`] while the host drains, [`Error::Guest`] if there is no answer.
    pub(crate) async fn exchange<B>(
        self: &Arc<Self>,
        service: &Arc<Service>,
        id: String,
        request: Request<B>,
        client_max: Duration,
    ) -> Result<Response<Answer>, Error>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let operation = self.own(id, action(request.method()), service.path.clone(), Cause::Client, Purpose::Act);
        let span = stage::span(&operation);
        let exchanging = async {
            let began = self.clock.now();
            admit::open(self, &operation)?;
            let imports = (self.imports)(service, &operation);
            let answered = service.module.serve(request, imports, client_max).await;
            let answered = answered.map_err(|error| Error::guest(&service.path, error));
            if let Err(error) = &answered {
                guest::failed(service, error);
            }
            // Counted when its answer begins, as others are when theirs is there.
            let ended = Ending { by: By::ThisNode, error: answered.as_ref().err() };
            publish::count(self, service, operation.action, &operation, began, ended);
            answered
        };
        std::pin::pin!(exchanging).instrument(span).await
    }
}

/// Returns the action under which a method is counted: what is none of them only asks.
fn action(method: &Method) -> Action {
    match method.as_str() {
        "POST" => Action::Post,
        "PUT" => Action::Put,
        "PATCH" => Action::Patch,
        "DELETE" => Action::Delete,
        _ => Action::Get,
    }
}

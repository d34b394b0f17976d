//! Sends one effect once.

use bytes::Bytes;
use steward_model::operation::{Cause, EffectReply};
use steward_model::problem::Kind;
use steward_model::render;
use steward_model::update::{PendingEffect, RequestKey};
use steward_model::{Action, Link, Problem};

use super::sent::{Sent, unanswered};
use super::work::Outbox;
use crate::operation::{Body, Content, Demands, Error, Operation, Patience, Purpose, Reply};
use crate::service::QUERY_TASKS;

impl Outbox {
    pub(super) async fn send_once(&self, pending: &PendingEffect) -> Sent {
        let effect = &pending.effect;
        if !effect.to.starts_with('/') {
            return self.outside.send(&pending.key.to_string(), &pending.request, effect).await;
        }
        let (path, query) = effect.to.split_once('?').unwrap_or((&effect.to, ""));
        let answered =
            |status, body| Sent::Answered(EffectReply { status, headers: Vec::new(), body, from: effect.to.clone() });
        let link = match Link::parse(path) {
            Ok(link) => link,
            Err(error) => {
                let problem = Error::Link(error).problem();
                return answered(problem.kind.status(), Some(body_of(&problem)));
            }
        };
        if path == QUERY_TASKS && effect.action == Action::Post {
            let spec = effect.body.clone().unwrap_or_default();
            return match self.queries.task(&spec, None).await {
                Ok(task) => answered(200, Some(task)),
                Err(refusal) => self.failed(pending, refusal.into()),
            };
        }
        let listed =
            effect.action == Action::Get && self.operations.services().at(&link).is_some_and(|s| !s.is_stateless());
        if listed {
            return match self.queries.listing(&link, query, None).await {
                Ok(list) => answered(200, Some(list)),
                Err(refusal) => self.failed(pending, refusal.into()),
            };
        }
        let demands = match Demands::of(&effect.headers) {
            Ok(demands) => demands,
            Err(unreadable) => {
                let problem = Problem::never(Kind::Invalid, "bad-request", unreadable);
                return answered(problem.kind.status(), Some(body_of(&problem)));
            }
        };
        let key = pending.key.to_string();
        let mut operation = self.operations.own(key, effect.action, link, Cause::Effect, Purpose::Act);
        operation.root = Some(pending.request.clone());
        operation.headers.clone_from(&effect.headers);
        (operation.condition, operation.force) = (demands.condition, demands.force);
        operation.body = effect.body.clone().map(Body::new);
        query.clone_into(&mut operation.query);
        operation.idempotency_key = (effect.action != Action::Get).then(|| RequestKey::of_effect(&pending.key));
        self.perform(pending, operation).await
    }

    async fn perform(&self, pending: &PendingEffect, operation: Operation) -> Sent {
        match self.operations.perform(operation).await {
            Ok(reply) => {
                let status = reply.status.number();
                let wanted = !pending.effect.reply_tag.is_empty();
                let body = if wanted { self.body_of(&reply) } else { None };
                let from = pending.effect.to.clone();
                Sent::Answered(EffectReply { status, headers: reply.headers, body, from })
            }
            Err(error) => self.failed(pending, error),
        }
    }

    fn failed(&self, pending: &PendingEffect, error: Error) -> Sent {
        let (reason, patience, from) = (error.to_string(), error.patience(), pending.effect.to.clone());
        let problem = error.problem();
        let (status, body) = (problem.kind.status(), Some(body_of(&problem)));
        let refused = EffectReply { status, headers: Vec::new(), body, from };
        match patience {
            Patience::None => Sent::Answered(refused),
            Patience::Short => Sent::Later { reason, patience, otherwise: refused },
            Patience::Long => Sent::Later { reason, patience, otherwise: unanswered(&pending.effect.to) },
        }
    }

    fn body_of(&self, reply: &Reply) -> Option<Bytes> {
        let owner = reply.answered_by(self.operations.owner());
        match (&reply.content, &reply.document) {
            (Content::Json(json), _) => Some(json.clone()),
            (Content::State, Some(document)) => Some(render::render(document, owner)),
            (Content::State, None) | (Content::Empty, _) => None,
        }
    }
}

/// Returns the problem document that the answer to an effect carries.
fn body_of(problem: &Problem) -> Bytes {
    serde_json::Value::Object(problem.document()).to_string().into()
}

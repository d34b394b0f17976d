use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use steward_model::operation::Cause;
use steward_model::problem::Happened;
use steward_model::update::{RememberedBody, RememberedReply, RequestKey};
use steward_model::{Action, Document, Link, Position, Timestamp, Version};
use steward_protocol::cluster::ClusterState;
use tokio::sync::watch;

use super::wait::Waiting;
use super::{
    Content, Error, Found, Limits, Operation, Operations, Parts, Purpose, Reply, Status, Step, finish, repeat,
};
use crate::partition::by_hand::ByHand;
use crate::service::ServiceTable;
use crate::shutdown::Shutdown;

fn operations(node: &ByHand) -> Operations {
    let limits = Limits {
        wait: Duration::from_secs(60),
        document_bytes_max: 1024,
        guest_lines_max: 100,
        records_requests: false,
    };
    // Nobody changes the group here.
    let (_, cluster) = watch::channel(Arc::new(ClusterState::default()));
    Operations::new(Parts {
        clock: Arc::clone(&node.clock),
        partitions: Arc::clone(&node.partitions),
        services: Arc::new(ServiceTable::default()),
        limits,
        shutdown: Shutdown::default(),
        owner: "here".to_owned(),
        cluster,
        links: None,
        imports: Box::new(|_, _| Arc::new(steward_sandbox::Silent)),
        watcher: Box::new(|_, _, _| {}),
    })
}

fn waiting<'a>(node: &'a ByHand, operations: &'a Operations, operation: &'a Operation) -> Waiting<'a> {
    Waiting { operations, operation, partition: node.of(&operation.link) }
}

fn link() -> Link {
    Link::parse("/core/notes/n").expect("a valid link")
}

fn patch(operations: &Operations) -> Operation {
    operations.own("test".to_owned(), Action::Patch, link(), Cause::Client, Purpose::Act)
}

fn refusal() -> Error {
    Error::NotFound { link: link() }
}

#[tokio::test]
async fn what_was_drawn_from_an_update_under_way_is_answered_after_its_commit() {
    for what in ["a reply", "a refusal"] {
        let step = match what {
            "a reply" => Ok(Step::Answered(Reply::empty(Status::Ok))),
            _ => Err(refusal()),
        };
        let node = ByHand::serving();
        let (operations, link) = (operations(&node), link());
        let turn = node.turn(&link).await;
        let _proposed = node.propose(&link, "{}").await;
        let operation = patch(&operations);
        let mut answer = std::pin::pin!(finish(waiting(&node, &operations, &operation), turn, step));
        assert!(poll!(&mut answer).is_pending(), "{what}: a crash would take back what it shows");
        drop(node.turn(&link).await);
        node.write();
        let Poll::Ready(answer) = poll!(&mut answer) else { panic!("{what}: the update is committed") };
        match answer {
            Ok(reply) => assert_eq!((what, reply.status), ("a reply", Status::Ok)),
            Err(error) => assert_eq!((what, error.to_string()), ("a refusal", refusal().to_string())),
        }
    }
}

#[tokio::test]
async fn what_was_drawn_from_committed_states_is_answered_at_once() {
    let node = ByHand::serving();
    let (operations, link) = (operations(&node), link());
    let _proposed = node.propose(&link, "{}").await;
    node.write();
    let operation = patch(&operations);
    let turn = node.turn(&link).await;
    let mut answer = std::pin::pin!(finish(waiting(&node, &operations, &operation), turn, Err(refusal())));
    assert!(matches!(poll!(&mut answer), Poll::Ready(Err(Error::NotFound { .. }))));
}

#[tokio::test]
async fn whoever_does_not_wait_for_the_commit_learns_that_nothing_happened() {
    let node = ByHand::serving();
    let (operations, link) = (operations(&node), link());
    let _proposed = node.propose(&link, "{}").await;
    let operation = Operation { deadline: operations.clock().now(), ..patch(&operations) };
    let turn = node.turn(&link).await;
    let answer = finish(waiting(&node, &operations, &operation), turn, Err(refusal())).await;
    assert!(matches!(answer, Err(Error::Unavailable { happened: Happened::No, .. })), "{answer:?}");
}

#[tokio::test]
async fn a_repeated_effect_gets_the_state_that_it_made_however_late_the_state_store_is() {
    let node = ByHand::serving();
    let (operations, link) = (operations(&node), link());
    let effect =
        Operation { idempotency_key: Some(RequestKey::of("effect")), cause: Cause::Effect, ..patch(&operations) };
    let _made = node.propose_for(&link, r#"{"made":true}"#, Some(first_answer(&effect, "effect"))).await;
    {
        let mut repeated = std::pin::pin!(repeat::replay(waiting(&node, &operations, &effect)));
        assert!(poll!(&mut repeated).is_pending(), "it is not committed yet");
        node.write();
        let Poll::Ready(Ok(Some(reply))) = poll!(&mut repeated) else { panic!("it is committed") };
        assert_eq!(state(&reply), (Content::State, Some(r#"{"made":true}"#.to_owned())));
    }
    let _later = node.propose(&link, r#"{"later":true}"#).await;
    node.write();
    let mut repeated = std::pin::pin!(repeat::replay(waiting(&node, &operations, &effect)));
    assert!(poll!(&mut repeated).is_pending(), "only the state store keeps older versions");
    node.apply();
    let Poll::Ready(Ok(Some(reply))) = poll!(&mut repeated) else { panic!("the state store has it now") };
    assert_eq!(state(&reply), (Content::State, Some(r#"{"made":true}"#.to_owned())));
}

#[tokio::test]
async fn a_repeat_that_does_not_wait_for_the_first_commit_learns_that_the_outcome_is_unknown() {
    let node = ByHand::serving();
    let (operations, link) = (operations(&node), link());
    let deadline = operations.clock().now();
    let repeat = Operation { idempotency_key: Some(RequestKey::of("key")), deadline, ..patch(&operations) };
    let _first = node.propose_for(&link, "{}", Some(first_answer(&repeat, "key"))).await;
    let turn = node.turn(&link).await;
    let step = repeat::replay(waiting(&node, &operations, &repeat)).await.map(|_| unreachable!("it is not committed"));
    let answer = finish(waiting(&node, &operations, &repeat), turn, step).await;
    assert!(matches!(answer, Err(Error::Unavailable { happened: Happened::Unknown, .. })), "{answer:?}");
}

#[tokio::test]
async fn what_the_host_itself_asks_for_waits_no_longer_than_its_deadline() {
    let node = ByHand::serving();
    let (operations, link) = (operations(&node), link());
    let _held = node.turn(&link).await;
    for cause in [Cause::Effect, Cause::Start, Cause::Maintenance, Cause::Reply] {
        let deadline = operations.clock().now();
        let operation = Operation { cause, deadline, ..patch(&operations) };
        let turn = tokio::time::timeout(Duration::from_secs(30), waiting(&node, &operations, &operation).turn());
        let refused = turn.await.expect("it does not wait for ever").err();
        assert!(matches!(refused, Some(Error::Unavailable { happened: Happened::No, .. })), "{cause:?}");
    }
}

/// It is moved and cleared with each update. Whoever takes a future by value has room for it twice, and each storey above doubles that.
#[test]
fn the_future_of_an_operation_stays_small() {
    fn bytes<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }
    type Arguments = (&'static Arc<Operations>, Box<Operation>, Found);
    let whole = bytes(|(operations, operation, found): Arguments| operations.run(operation, found));
    assert!(whole <= 4096, "{whole} bytes: box what is rare, and pin what is passed on");
    let read = bytes(super::shown);
    assert!(read <= 1024, "{read} bytes");
}

fn first_answer(operation: &Operation, key: &str) -> RememberedReply {
    RememberedReply {
        key: RequestKey::of(key),
        request_digest: repeat::request_digest(operation),
        status: 200,
        version: Version(0),
        made: Position::default(),
        at: Position::default(),
        answered: Timestamp(1),
        headers: Vec::new(),
        body: RememberedBody::State,
    }
}

fn state(reply: &Reply) -> (Content, Option<String>) {
    let text = |document: &Arc<Document>| String::from_utf8_lossy(&document.body).into_owned();
    (reply.content.clone(), reply.document.as_ref().map(text))
}

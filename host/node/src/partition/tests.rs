use std::sync::Arc;
use std::task::Poll;

use futures_util::poll;
use steward_model::update::{Entry, Record};
use steward_model::{Boot, Epoch, Link, NodeId, Offset, Position};
use steward_protocol::replica::{Append, Member, Message};

use super::by_hand::ByHand;
use super::{Lost, ProposeError};

fn link() -> Link {
    Link::parse("/core/notes/n").expect("a valid link")
}

#[tokio::test]
async fn an_update_is_answered_and_read_once_it_is_on_disk_and_not_before() {
    let (node, link) = (ByHand::serving(), link());
    let mut first = std::pin::pin!(node.propose(&link, r#"{"n":1}"#).await.committed());
    assert!(poll!(&mut first).is_pending());
    assert_eq!(node.state(&link), None, "readers see what is committed");
    let newest = node.of(&link).newest(&link).expect("a readable store");
    assert_eq!(newest.document.expect("the next operation sees it").version.0, 0);
    assert_eq!(newest.appended, node.of(&link).appended(&link));

    node.write();
    let Poll::Ready(Ok(placed)) = poll!(&mut first) else { panic!("it is on disk") };
    assert_eq!(newest.appended, Some(placed.position));
    assert_eq!(node.state(&link).as_deref(), Some(r#"{"n":1}"#));

    node.apply();
    assert_eq!(node.of(&link).appended(&link), None, "the state store knows everything");
    assert_eq!(node.state(&link).as_deref(), Some(r#"{"n":1}"#));
}

#[tokio::test]
async fn a_store_that_lags_behind_shows_nobody_an_older_state() {
    let (node, link) = (ByHand::serving(), link());
    let _first = node.propose(&link, r#"{"n":1}"#).await;
    node.write();
    node.apply();
    let _second = node.propose(&link, r#"{"n":2}"#).await;
    node.write();
    let _third = node.propose(&link, r#"{"n":3}"#).await;
    assert_eq!(node.state(&link).as_deref(), Some(r#"{"n":2}"#));
    node.apply();
    assert_eq!(node.state(&link).as_deref(), Some(r#"{"n":2}"#), "the third is applied once it is committed");
    node.write();
    node.apply();
    assert_eq!(node.state(&link).as_deref(), Some(r#"{"n":3}"#));
}

#[tokio::test]
async fn whoever_waits_for_a_commit_when_the_reign_ends_learns_what_the_next_one_made_of_it() {
    let (node, link) = (ByHand::serving(), link());
    let partition = node.of(&link);
    let reign = Epoch::ZERO.next_ownership();
    let proposed = node.propose(&link, "{}").await;
    let position = partition.appended(&link).expect("it is in the log");
    let mut shown = std::pin::pin!(partition.committed(position));
    let mut answered = std::pin::pin!(proposed.committed());
    assert!(poll!(&mut shown).is_pending());

    let next = Member { node: NodeId(2), boot: Boot(1) };
    node.name(2, next);
    assert!(poll!(&mut shown).is_pending() && poll!(&mut answered).is_pending(), "nobody knows yet");
    assert!(partition.serving().get().is_none());
    let refused = node.propose_in(reign, &link, "{}", None).await;
    assert!(matches!(refused, Err(ProposeError::NotAdmitted { .. })), "{refused:?}");
    node.write();
    assert_eq!(node.state(&link), None, "the next primary says what became of it");

    // It orders its marker where the record stands, which is cut with that.
    let epoch = reign.next_ownership();
    let marker = Position { epoch, offset: position.offset };
    let record = Arc::new(Record { position: marker, previous: reign, entry: Entry::Marker });
    let before = Position { epoch: reign, offset: Offset(position.offset.0 - 1) };
    let append = Append { epoch, previous: Some(before), records: vec![record], committed: None, low: None };
    node.partitions.receive(node.clock.now(), partition.id(), next, Message::Append(append));
    assert_eq!(poll!(&mut shown), Poll::Ready(Err(Lost(partition.id()))));
    assert_eq!(answered.await.map(|placed| placed.position), Err(Lost(partition.id())));
}

#[tokio::test]
async fn turns_come_in_the_order_of_asking_and_whoever_gives_up_is_passed_over() {
    let (node, link) = (ByHand::serving(), link());
    let held = node.turn(&link).await;
    let partition = node.of(&link);
    let mut second = Box::pin(partition.turn(&link));
    let mut third = Box::pin(partition.turn(&link));
    let mut fourth = Box::pin(partition.turn(&link));
    assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());
    drop(second);
    assert!(poll!(&mut third).is_pending(), "the turn is still held");
    drop(held);
    assert!(poll!(&mut fourth).is_pending(), "the third is next");
    let Poll::Ready(Ok(turn)) = poll!(&mut third) else { panic!("it is the third's turn") };
    drop(turn);
    assert!(poll!(&mut fourth).is_ready());
}

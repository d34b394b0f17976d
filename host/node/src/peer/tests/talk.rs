//! What nodes that know each other say, and what one of them cannot do to the other.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use steward_model::NodeId;

use super::super::link::REQUESTS_MAX;
use super::super::{Error, Lane, Topic};
use super::rig::{LONG_ANSWER_BYTES, Rig, until};

const LONG: Duration = Duration::from_secs(20);

async fn pair() -> (Rig, Rig) {
    let (one, two) = (Rig::member(1).await, Rig::member(2).await);
    one.knows(&two);
    two.knows(&one);
    for lane in Lane::ALL {
        until("both are connected", || {
            one.links.connected(lane).contains(&NodeId(2)) && two.links.connected(lane).contains(&NodeId(1))
        })
        .await;
    }
    (one, two)
}

#[tokio::test]
async fn both_ends_of_a_connection_ask_and_answer() {
    let (one, two) = pair().await;
    for (from, to) in [(&one, NodeId(2)), (&two, NodeId(1))] {
        for lane in Lane::ALL {
            let answer = from.links.request(to, lane, Topic::Raft, b"hello".to_vec(), LONG).await;
            assert_eq!(answer.as_deref(), Ok(&b"hello"[..]));
        }
    }
    let refused = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"no".to_vec(), LONG).await;
    assert_eq!(refused, Err(Error::Refused("it does not want to".to_owned())));
    one.links.notify(NodeId(2), Lane::Urgent, Topic::Liveness, b"beat".to_vec());
    until("the notice is there", || two.echo.noticed.load(Ordering::Relaxed) == 1).await;
}

#[tokio::test]
async fn a_request_has_a_deadline_and_nobody_waits_for_a_node_that_is_not_connected() {
    let (one, _two) = pair().await;
    let within = Duration::from_millis(50);
    let late = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"wait".to_vec(), within).await;
    assert_eq!(late, Err(Error::Late(within)));
    let nobody = one.links.request(NodeId(3), Lane::Urgent, Topic::Raft, b"hello".to_vec(), within).await;
    assert_eq!(nobody, Err(Error::NotConnected));
}

#[tokio::test]
async fn who_waits_hears_at_once_that_the_connection_broke() {
    let (one, two) = pair().await;
    let waiting = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"wait".to_vec(), LONG);
    let breaking = async {
        until("the request has arrived", || two.echo.asked.load(Ordering::Relaxed) == 1).await;
        two.links.stop();
    };
    let (outcome, ()) = tokio::join!(waiting, breaking);
    assert_eq!(outcome, Err(Error::Broken));
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_is_sent() {
    let (one, _two) = pair().await;
    let body = vec![1; 6 << 20];
    let refused = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, body.clone(), LONG).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    let answer = one.links.request(NodeId(2), Lane::Bulk, Topic::Raft, body, LONG).await;
    assert_eq!(answer.map(|answer| answer.len()), Ok(6 << 20));
}

#[tokio::test]
async fn more_requests_than_a_node_works_on_are_refused_and_the_others_go_on() {
    let (one, two) = pair().await;
    // Long enough for the refusals to come on a busy machine; the others wait all of it.
    let within = Duration::from_secs(4);
    let request = |_| one.links.request(NodeId(2), Lane::Bulk, Topic::Raft, b"wait".to_vec(), within);
    let many = join_all((0..REQUESTS_MAX + 144).map(request)).await;
    let refused = many.iter().filter(|outcome| matches!(outcome, Err(Error::Refused(_)))).count();
    assert_eq!(refused, 144);
    assert_eq!(two.echo.asked.load(Ordering::Relaxed), REQUESTS_MAX);
    let urgent = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"hello".to_vec(), LONG).await;
    assert!(urgent.is_ok(), "{urgent:?}");
}

#[tokio::test]
async fn bytes_that_are_not_taken_hold_up_those_behind_them_on_their_lane_alone() {
    let (one, two) = pair().await;
    let mut stuck = vec![0_u8; 3 << 20];
    stuck[0] = b'w';
    let within = Duration::from_secs(2);
    let bulk = join_all((0..8).map(|_| one.links.request(NodeId(2), Lane::Bulk, Topic::Raft, stuck.clone(), within)));
    let urgent = async {
        until("the window is full", || two.echo.asked.load(Ordering::Relaxed) >= 2).await;
        one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"hello".to_vec(), LONG).await
    };
    let (stuck, urgent) = tokio::join!(bulk, urgent);
    assert!(urgent.is_ok(), "{urgent:?}");
    assert!(stuck.iter().all(Result::is_err));
    // 8 MiB may be under way: two of 3 MiB, and no third one.
    assert_eq!(two.echo.asked.load(Ordering::Relaxed), 2 + 1, "and the urgent one");
}

#[tokio::test]
async fn answers_count_as_unwritten_until_they_are_written() {
    let (one, _two) = pair().await;
    let ask = || one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"long".to_vec(), LONG);
    // More bytes together than may wait. What was begun is answered, and then the next one is begun again.
    for _ in 0..2 {
        for answer in join_all((0..8).map(|_| ask())).await {
            assert_eq!(answer.map(|answer| answer.len()), Ok(LONG_ANSWER_BYTES));
        }
    }
    assert!(ask().await.is_ok());
}

#[tokio::test]
async fn a_connection_that_broke_is_made_anew() {
    let (one, two) = pair().await;
    two.links.identify(|ourselves| ourselves.boot = Some(steward_model::Boot(2)));
    until("it stands again", || {
        one.links.connected(Lane::Urgent).contains(&NodeId(2)) && two.links.connected(Lane::Urgent).contains(&NodeId(1))
    })
    .await;
    let answer = one.links.request(NodeId(2), Lane::Urgent, Topic::Raft, b"hello".to_vec(), LONG).await;
    assert_eq!(answer.as_deref(), Ok(&b"hello"[..]));
}

#[tokio::test]
async fn a_node_that_is_no_more_is_dialled_no_more() {
    let (one, two) = pair().await;
    two.links.set_peers(&Default::default());
    until("both have forgotten", || {
        one.links.connected(Lane::Urgent).is_empty() && two.links.connected(Lane::Urgent).is_empty()
    })
    .await;
}

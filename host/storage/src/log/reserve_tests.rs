//! Reservations: what is reserved is never refused, and nobody is forgotten.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;

use super::tests::{Told, open, record};
use super::*;

/// Counts how often it was woken.
#[derive(Default)]
struct Wakeups(AtomicUsize);

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakeups {
    fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(future: Pin<&mut Reserving>, wakeups: &Arc<Wakeups>) -> Poll<Result<Reservation, append::Error>> {
    let waker = Waker::from(Arc::clone(wakeups));
    future.poll(&mut Context::from_waker(&waker))
}

fn log() -> (FaultyDisk, Log) {
    let disk = FaultyDisk::new(1);
    let log = open(&disk).expect("an empty disk opens").0.log;
    log.drive(&Told::default()).expect("the disk works");
    (disk, log)
}

const LARGE: usize = 20_000;

fn is_ready(polled: &Poll<Result<Reservation, append::Error>>) -> bool {
    matches!(polled, Poll::Ready(Ok(_)))
}

#[test]
fn a_reservation_lasts_until_the_writer_has_taken_the_group() {
    let (_, log) = log();
    let reserved = log.reserve(LARGE).expect("there is room");
    assert_eq!(log.reserved_bytes(), LARGE as u64);
    assert_eq!(log.append_reserved(&[record(0, 0, 100)], reserved), Ok(Lsn(1)));
    assert_eq!(log.reserved_bytes(), LARGE as u64, "it waits for the writer");
    log.drive(&Told::default()).expect("the disk works");
    assert_eq!(log.reserved_bytes(), 0);
    drop(log.reserve(LARGE).expect("there is room"));
    assert_eq!(log.reserved_bytes(), 0, "an unused one is given back");
    let reserved = log.reserve(LARGE).expect("there is room");
    assert_eq!(log.append_reserved(&[], reserved), Ok(Lsn(1)));
    assert_eq!(log.reserved_bytes(), 0, "without frames nothing is used");
    let reserved = log.reserve(100).expect("there is room");
    let refused = log.append_reserved(&[record(0, 1, 100)], reserved);
    assert_eq!(refused, Err(append::Error::TooLarge { bytes: 132, most: 100 }));
    assert_eq!(log.reserved_bytes(), 0);
}

#[test]
fn what_fits_no_segment_is_refused_before_anything_is_queued() {
    let (_, log) = log();
    let most = log.append_bytes_max() as usize;
    assert!(matches!(log.reserve(most + 1), Err(append::Error::TooLarge { .. })));
    drop(log.reserve(most).expect("the largest fits"));
    let wakeups = Arc::new(Wakeups::default());
    let mut waiting = pin!(log.reserve_or_wait(most + 1));
    assert!(matches!(poll(waiting.as_mut(), &wakeups), Poll::Ready(Err(append::Error::TooLarge { .. }))));
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    let (_, log) = log();
    let held: Vec<_> = std::iter::from_fn(|| log.reserve(LARGE).ok()).collect();
    assert!(held.len() >= 2);
    let wakeups: Vec<Arc<Wakeups>> = (0..3).map(|_| Arc::default()).collect();
    let mut first = pin!(log.reserve_or_wait(LARGE));
    let mut small = pin!(log.reserve_or_wait(10));
    assert!(poll(first.as_mut(), &wakeups[0]).is_pending());
    assert!(poll(small.as_mut(), &wakeups[1]).is_pending(), "small ones do not overtake");
    assert!(matches!(log.reserve(10), Err(append::Error::Busy { .. })), "nobody overtakes");
    drop(held);
    assert!(wakeups[0].woken() > 0 && wakeups[1].woken() > 0);
    assert!(is_ready(&poll(first.as_mut(), &wakeups[0])) && is_ready(&poll(small.as_mut(), &wakeups[1])));
    assert_eq!(log.reserved_bytes(), 0, "what was answered was dropped at once");
}

#[test]
fn who_stops_waiting_leaves_its_place_and_its_space() {
    let (_, log) = log();
    let held: Vec<_> = std::iter::from_fn(|| log.reserve(LARGE).ok()).collect();
    let wakeups = Arc::new(Wakeups::default());
    let mut gone = Box::pin(log.reserve_or_wait(LARGE));
    let mut stays = Box::pin(log.reserve_or_wait(LARGE));
    let mut granted = Box::pin(log.reserve_or_wait(LARGE));
    assert!(poll(gone.as_mut(), &wakeups).is_pending() && poll(stays.as_mut(), &wakeups).is_pending());
    drop(gone);
    drop(held);
    assert!(is_ready(&poll(stays.as_mut(), &wakeups)));
    let held: Vec<_> = std::iter::from_fn(|| log.reserve(LARGE).ok()).collect();
    assert!(poll(granted.as_mut(), &wakeups).is_pending());
    drop(held);
    drop(granted);
    assert_eq!(log.reserved_bytes(), 0, "an answer that nobody fetched is given back");
}

#[test]
fn the_writer_a_full_disk_and_the_end_wake_those_who_wait() {
    let (disk, log) = log();
    let told = Told::default();
    let wakeups = Arc::new(Wakeups::default());
    let held: Vec<_> = std::iter::from_fn(|| log.reserve(LARGE).ok()).collect();
    let mut waiting = Box::pin(log.reserve_or_wait(LARGE));
    assert!(poll(waiting.as_mut(), &wakeups).is_pending());
    for (offset, reserved) in (0..).zip(held) {
        log.append_reserved(&[record(0, offset, 15_000)], reserved).expect("it was reserved");
    }
    log.drive(&told).expect("the disk works");
    assert!(is_ready(&poll(waiting.as_mut(), &wakeups)), "the writer has caught up");
    disk.limit_space(0);
    let mut offset = 100;
    let refused = loop {
        match log.reserve(LARGE) {
            Ok(reserved) => log.append_reserved(&[record(0, offset, 15_000)], reserved).expect("it was reserved"),
            Err(refused) => break refused,
        };
        offset += 1;
        log.drive(&told).expect("a full disk is no failure");
    };
    assert!(matches!(refused, append::Error::Full { .. }), "{refused}");
    let mut full = Box::pin(log.reserve_or_wait(LARGE));
    assert!(matches!(poll(full.as_mut(), &wakeups), Poll::Ready(Err(append::Error::Full { .. }))));
    disk.limit_space(u64::MAX);
    log.drive(&told).expect("the disk works");
    let held: Vec<_> = std::iter::from_fn(|| log.reserve(LARGE).ok()).collect();
    let mut waiting = Box::pin(log.reserve_or_wait(LARGE));
    assert!(poll(waiting.as_mut(), &wakeups).is_pending());
    let woken = wakeups.woken();
    log.close();
    assert!(wakeups.woken() > woken);
    assert!(matches!(poll(waiting.as_mut(), &wakeups), Poll::Ready(Err(append::Error::Closed))));
    drop(held);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_reserved_is_never_refused(
        steps in prop::collection::vec((0_u8..6, 1_usize..20_000, any::<prop::sample::Index>()), 1..120),
    ) {
        let (_, log) = log();
        let told = Told::default();
        let mut held: Vec<Reservation> = Vec::new();
        let mut appended = 0;
        for (step, bytes, which) in steps {
            match step {
                0 | 1 => held.extend(log.reserve(bytes).ok()),
                2 | 3 if !held.is_empty() => {
                    let reserved = held.swap_remove(which.index(held.len()));
                    let payload = (reserved.bytes() as usize).saturating_sub(frame::HEADER_BYTES);
                    if payload > 0 {
                        log.append_reserved(&[record(0, appended, payload)], reserved).expect("it was reserved");
                        appended += 1;
                    }
                }
                // The host's own frames take what is left.
                4 => appended += u64::from(log.append(&[record(0, appended, bytes)]).is_ok()),
                _ => drop(log.drive_one(&told).expect("the disk works")),
            }
        }
        for reserved in held.drain(..) {
            let is_enough = reserved.bytes() >= frame::HEADER_BYTES as u64;
            let appended = log.append_reserved(&[Frame::of_node(FrameKind::Vote, bytes::Bytes::new())], reserved);
            prop_assert_eq!(appended.is_ok(), is_enough);
        }
        log.drive(&told).expect("the disk works");
        prop_assert_eq!(log.reserved_bytes(), 0);
    }
}

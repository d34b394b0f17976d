//! What must be true of a world after each step: one file for each statement, under its number in
//! `host/docs/protocol.md`.
//!
//! A replica core checks what it can see itself after each event. If that fails, it panics and the world ends.

mod effects_take_place_once;
mod i01_committed_prefixes_never_differ;
mod i02_acknowledged_updates_are_kept;
mod i03_epochs_never_fall;
mod i04_quorums_of_recovery_meet_holders;
mod i05_commits_follow_the_marker;
mod i06_too_few_commit_nothing;
mod i07_promises_are_durable_first;
mod i09_applied_committed_end;
pub(crate) mod i11_records_stay_in_their_reign;
pub(crate) mod i12_requests_take_effect_once;
mod i13_stores_agree;
mod i17_deleted_documents_stay_deleted;
mod i21_torn_tails_hold_nothing_durable;
mod l1_everything_finishes;
mod memory_is_bounded;
mod reads_show_what_is_committed;

use crate::facts::Fact;
use crate::world::World;

/// A statement: nothing if it holds.
type Check = fn(&World, &[Fact]) -> Result<(), String>;

/// All of them.
pub(crate) const ALL: [(&str, Check); 17] = [
    ("i21_torn_tails_hold_nothing_durable", i21_torn_tails_hold_nothing_durable::check),
    ("i03_epochs_never_fall", i03_epochs_never_fall::check),
    ("i07_promises_are_durable_first", i07_promises_are_durable_first::check),
    ("i06_too_few_commit_nothing", i06_too_few_commit_nothing::check),
    ("i05_commits_follow_the_marker", i05_commits_follow_the_marker::check),
    ("i01_committed_prefixes_never_differ", i01_committed_prefixes_never_differ::check),
    ("i04_quorums_of_recovery_meet_holders", i04_quorums_of_recovery_meet_holders::check),
    ("i02_acknowledged_updates_are_kept", i02_acknowledged_updates_are_kept::check),
    ("i09_applied_committed_end", i09_applied_committed_end::check),
    ("i11_records_stay_in_their_reign", i11_records_stay_in_their_reign::check),
    ("i12_requests_take_effect_once", i12_requests_take_effect_once::check),
    ("i17_deleted_documents_stay_deleted", i17_deleted_documents_stay_deleted::check),
    ("i13_stores_agree", i13_stores_agree::check),
    ("reads_show_what_is_committed", reads_show_what_is_committed::check),
    ("effects_take_place_once", effects_take_place_once::check),
    ("memory_is_bounded", memory_is_bounded::check),
    ("l1_everything_finishes", l1_everything_finishes::check),
];

/// Returns the notes among facts.
fn notes(facts: &[Fact]) -> impl Iterator<Item = (steward_model::PartitionId, &crate::witness::Note)> {
    facts.iter().filter_map(|fact| match fact {
        Fact::Noted(partition, note) => Some((*partition, note)),
        _ => None,
    })
}

//! What must be true of a world after each step. One file for each statement; numbers are those of the design.

mod i01_committed_prefixes_never_differ;
mod i02_acknowledged_updates_are_kept;
mod i03_epochs_never_fall;
mod i05_commits_follow_the_marker;
mod i07_promises_are_durable_first;
mod i09_applied_committed_end;
mod i13_stores_agree;
mod i21_torn_tails_hold_nothing_durable;
mod replica;

use crate::world::World;

/// A statement: nothing if it holds.
type Check = fn(&World) -> Result<(), String>;

/// All of them.
pub(crate) const ALL: [(&str, Check); 9] = [
    ("i21_torn_tails_hold_nothing_durable", i21_torn_tails_hold_nothing_durable::check),
    ("i03_epochs_never_fall", i03_epochs_never_fall::check),
    ("i07_promises_are_durable_first", i07_promises_are_durable_first::check),
    ("i05_commits_follow_the_marker", i05_commits_follow_the_marker::check),
    ("i01_committed_prefixes_never_differ", i01_committed_prefixes_never_differ::check),
    ("i02_acknowledged_updates_are_kept", i02_acknowledged_updates_are_kept::check),
    ("i09_applied_committed_end", i09_applied_committed_end::check),
    ("i13_stores_agree", i13_stores_agree::check),
    ("replica", replica::check),
];

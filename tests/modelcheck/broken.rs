//! Rules that are broken on purpose: each must be found, by the statement that names it.

use anyhow::{Result, bail};
use steward_model::mutation::Mutation;

use crate::scope::{QUIET, Scope};
use crate::walk::walk;

/// Walks that may be needed to find one.
const WALKS_MAX: u64 = 40_000;

/// Panics of worlds are told by the worlds.
pub(crate) fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}

fn must_fail(scope: Scope, mutation: Mutation, statements: &[&str]) -> Result<()> {
    keep_panics_quiet();
    let scope = Scope { mutation: Some(mutation), ..scope };
    for seed in 0..WALKS_MAX {
        if let Some(found) = walk(&scope, seed, 150) {
            let is_named = statements.iter().any(|statement| found.broken.contains(statement));
            if !is_named {
                bail!("{mutation:?} breaks {}, after\n  {}", found.broken, found.trace.join("\n  "));
            }
            println!("{mutation:?}: walk {seed}, {} steps: {}", found.trace.len(), found.broken);
            return Ok(());
        }
    }
    bail!("{mutation:?} is not noticed in {WALKS_MAX} walks")
}

macro_rules! mutations {
    ($($name:ident: $mutation:ident in $scope:expr, by $($statement:literal),+;)+) => {
        $(#[test]
        fn $name() -> Result<()> {
            must_fail($scope, Mutation::$mutation, &[$($statement),+])
        })+
    };
}

const REIGNS: Scope = Scope { epochs: 3, writes: 2, ..QUIET };
const CHANGES: Scope = Scope { epochs: 2, writes: 2, alterations: 2, ticks: 3, ..QUIET };
const READS: Scope = Scope { epochs: 2, writes: 2, reads: 2, ..QUIET };

mutations! {
    a_recovery_that_listens_to_itself_is_noticed: RecoveryListensToItself in REIGNS, by "I1", "I2", "I4", "panic";
    one_promise_too_few_is_noticed: OnePromiseLess in REIGNS, by "I1", "I2", "I4", "panic";
    a_log_chosen_by_its_length_is_noticed: LogChosenByLength in REIGNS, by "I1", "I2", "I4", "panic";
    one_holder_too_few_is_noticed: OneHolderLess in REIGNS, by "I1", "I2", "I4";
    a_commit_without_a_marker_is_noticed: CommitWithoutMarker in REIGNS, by "I1", "I2", "I4", "panic";
    a_change_without_barrier_is_noticed: AlterationWithoutBarrier in CHANGES, by "I1", "I2", "I4";
    the_new_rule_alone_is_noticed: NewRuleAlone in CHANGES, by "I1", "I2", "I4";
    a_log_that_is_forgotten_while_the_vote_is_kept_is_noticed:
        RecordsForgotten in Scope { crashes: 1, ..REIGNS }, by "I1", "I2", "I4";
    a_shorter_append_that_cuts_is_noticed: ShorterAppendCuts in REIGNS, by "I1", "I2", "I4", "panic";
    acknowledging_before_the_disk_has_it_is_noticed:
        AcknowledgedBeforeDurable in Scope { has_slow_disks: true, crashes: 1, ..REIGNS }, by "I1", "I2", "I4";
    a_broken_promise_is_noticed: PromiseNotKept in REIGNS, by "I1", "I2", "I4", "panic";
    records_without_the_one_before_are_noticed: PreviousUnchecked in REIGNS, by "I1", "I4", "panic";
    a_commit_beyond_what_is_proven_is_noticed: CommitBeyondProven in Scope { epochs: 3, writes: 3, ticks: 4, ..QUIET }, by "I1", "panic";
    a_confirmation_in_spite_of_a_promise_is_noticed: ConfirmedInSpiteOfPromise in READS, by "I10";
    one_confirmation_too_few_is_noticed: OneConfirmationLess in READS, by "I10";
    a_recovery_quorum_that_does_not_rise_is_noticed:
        RecoveryQuorumNotRaised in Scope { quorum: Some(1), ..REIGNS }, by "I1", "I2", "I4";
    a_joiner_whose_log_begins_too_high_is_noticed:
        LowWaterIgnored in Scope { members: 2, write_quorum: 1, alterations: 2, ticks: 3, trims: 1, rebuilds: 1, ..REIGNS }, by "I22";
}

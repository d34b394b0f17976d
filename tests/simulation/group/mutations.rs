//! Rules that only several nodes can show to be broken: each must be noticed, by the statement that names it.

use anyhow::Result;
use steward_model::mutation::Mutation;

use crate::group::{Seen, judge};
use crate::lives::is_noticed;

/// Groups in which a broken rule must be noticed.
const GROUPS: u64 = 600;

macro_rules! broken_rules {
    ($($test:ident: $mutation:ident by $($name:literal),+;)*) => {
        $(
            #[test]
            fn $test() -> Result<()> {
                is_noticed(Mutation::$mutation, &[$($name),+], ("group", GROUPS), judge)
            }
        )*
    };
}

broken_rules! {
    a_recovery_that_listens_to_itself_is_noticed: RecoveryListensToItself by "i01_", "i02_", "l3_", "panic";
    a_broken_promise_is_noticed: PromiseNotKept by "i01_", "i02_", "panic";
    a_shorter_append_that_cuts_is_noticed: ShorterAppendCuts by "i01_", "i02_", "i04_", "panic";
    a_confirmation_in_spite_of_a_promise_is_noticed: ConfirmedInSpiteOfPromise by "i10_", "removed_";
    a_read_confirmed_by_an_earlier_question_is_noticed: ConfirmedByEarlierQuestion by "i10_", "removed_";
    a_log_that_is_not_kept_for_members_is_noticed: LogNotKept by "i22_";
    a_member_that_is_not_told_what_all_hold_is_noticed: LowNotTold by "l1_";
    a_rebuilt_copy_that_is_not_lasting_is_noticed: RebuiltBeforeLasting by "open the stores", "i02_", "i04_";
    documents_that_survive_a_rebuild_in_memory_are_noticed: CacheSurvivesRebuild by "i10_", "i11_", "i13_", "i17_", "copies_";
    applying_what_the_own_disk_lacks_is_noticed: AppliedBeforeDurable by "i09_";
    a_copy_that_is_behind_its_reader_and_answers_is_noticed: FenceIgnored by "copies_";
    another_record_at_the_place_of_the_one_seen_is_noticed: FenceByOffset by "copies_";
    a_reader_of_a_copy_that_is_never_told_is_noticed: FenceNotLifted by "copies_";
    an_answer_that_fewer_hold_than_wanted_is_noticed: HeldByOneLess by "held_";
    a_removal_that_lets_fewer_recover_is_noticed: RecoveryQuorumFollowsRemoval by "i01_", "i02_", "i04_", "panic";
    a_removed_primary_that_stays_named_is_noticed: RemovedStaysNamed by "removed_";
    stores_that_differ_by_the_length_of_runs_are_noticed: TouchedByRun by "i15_";
    a_digest_that_only_grows_is_noticed: DigestOnlyGrows by "i15_", "i13_";
    a_loss_of_memory_that_is_not_counted_is_noticed: LossNotCounted by "volatile_", "i01_", "i10_";
    an_empty_memory_that_counts_is_noticed: EmptyMemberCounts by "volatile_", "i01_", "i10_";
    a_deletion_that_the_store_does_not_get_is_noticed: DeletionNotStored by "i17_";
}

/// Others notice this too, and mostly before a removed owner shows it: these groups pass here.
#[test]
fn a_removed_owner_whose_reads_are_confirmed_is_noticed() -> Result<()> {
    let judge = |seed| match judge(seed) {
        Err(other) if !format!("{other:#}").contains("removed_") => Ok(Seen::default()),
        judged => judged,
    };
    is_noticed(Mutation::ConfirmedInSpiteOfPromise, &["removed_"], ("group", GROUPS), judge)
}

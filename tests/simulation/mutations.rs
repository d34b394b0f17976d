//! Breaks each rule that can be broken on purpose. The invariant that names the rule must notice it within [`WORLDS`]
//! worlds.

use anyhow::Result;
use steward_model::mutation::Mutation;

use crate::lives::is_noticed;
use crate::world::judge;

/// Worlds in which a broken rule must be noticed.
const WORLDS: u64 = 800;

macro_rules! broken_rules {
    ($($test:ident: $mutation:ident by $($name:literal),+;)*) => {
        $(
            #[test]
            fn $test() -> Result<()> {
                is_noticed(Mutation::$mutation, &[$($name),+], ("world", WORLDS), judge)
            }
        )*
    };
}

broken_rules! {
    choosing_the_log_by_its_length_is_noticed: LogChosenByLength by "i01_", "i05_";
    one_promise_less_is_noticed: OnePromiseLess by "i01_", "i05_";
    commits_without_a_marker_are_noticed: CommitWithoutMarker by "i05_", "MarkerNotDecisive";
    one_holder_less_is_noticed: OneHolderLess by "i05_";
    too_few_members_are_noticed: TooFewInSync by "i06_";
    resuming_a_role_is_noticed: BootResumesRole by "a boot never resumes a role";
    promises_reported_before_their_sync_are_noticed: PromiseReportedBeforeSync by "i07_";
    a_lineage_that_is_never_cut_is_noticed: LineageNeverCut by "EndOutsideLineage";
    a_lineage_that_a_start_does_not_cut_is_noticed: LineageKeptAtRecovery by "cannot follow epoch";
    a_sync_that_syncs_nothing_is_noticed: SyncWithoutSync by "i07_";
    records_reported_before_their_sync_are_noticed: PersistedBeforeSync by "i07_", "i03_";
    a_dropped_tail_is_noticed: TailDropped by "i21_";
    a_summary_that_is_kept_is_noticed: SummaryKept by "i13_", "i12_", "l1_";
    progress_behind_the_documents_is_noticed: ProgressBehind by "i13_", "l1_";
    a_digest_that_only_grows_is_noticed: DigestOnlyGrows by "i13_";
    a_deletion_that_the_store_does_not_get_is_noticed: DeletionNotStored by "i17_";
    an_index_that_keeps_what_is_gone_is_noticed: IndexKeepsRemoved by "i13_";
    trimming_without_a_checkpoint_is_noticed: TrimWithoutCheckpoint by "lost on this node";
    trimming_above_what_is_applied_is_noticed: TrimAboveUnapplied by "i21_", "lost on this node";
    promises_that_a_checkpoint_forgets_are_noticed: PromiseNotRepeated by "i03_", "i07_";
    a_failed_sync_of_the_store_is_noticed: FailedSyncIgnored by "lost on this node";
    telling_the_client_before_the_commit_is_noticed: AcknowledgedBeforeCommit by "i02_";
    applying_before_the_commit_is_noticed: AppliedBeforeCommit by "i09_";
    losing_a_refused_run_is_noticed: RefusedRunLost by "i13_", "l1_";
    deciding_in_another_reign_is_noticed: DecidedInAnotherReign by "i11_";
    waiting_by_offset_is_noticed: WaiterByOffset by "i02_", "l1_";
    newest_states_that_are_not_cut_are_noticed: RecentNotCut by "i09_", "i12_", "l1_";
    answers_forgotten_early_are_noticed: AnswersForgottenEarly by "i12_";
    tombstones_that_stay_in_the_store_are_noticed: TombstonesKept by "i13_";
    effects_that_a_reign_does_not_load_are_noticed: OutboxNotLoaded by "effects_", "l1_";
    settling_what_failed_in_passing_is_noticed: SettledOnFailure by "effects_";
    effects_named_without_epoch_are_noticed: EffectKeyWithoutEpoch by "effects_";
    a_claim_that_outlives_its_reign_is_noticed: ClaimSurvives by "effects_";
    space_that_is_not_released_is_noticed: SpaceNotReleased by "l1_";
    updates_that_wait_for_the_stores_without_bound_are_noticed: UnappliedUnbounded by "memory_";
}

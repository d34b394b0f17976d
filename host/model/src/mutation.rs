//! Rules that can be broken on purpose, to show that the simulation notices.
//!
//! Problem: a check that has never failed proves nothing.
//!
//! Promise: each rule on which acknowledged updates depend has a switch in the very line that keeps the rule: `if
//! mutation::is(Mutation::X)`. The simulation turns on one switch, for its own thread only, and must then fail with the
//! invariant that names the broken rule.
//!
//! Without the feature `mutations` the function [`is`] is the constant `false`; nothing of this is in the product.

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// A candidate compares logs by length, not by the epoch of the last record first.
    LogChosenByLength,
    /// A candidate begins its reign with one promise less than recovery needs.
    OnePromiseLess,
    /// Records of earlier reigns are committed before the marker of this one is.
    CommitWithoutMarker,
    /// One holder less than the write quorum commits.
    OneHolderLess,
    /// Updates are admitted and committed although the in-sync set is smaller than the write quorum.
    TooFewInSync,
    /// A candidate begins its reign with its own promise alone.
    RecoveryListensToItself,
    /// A change of the in-sync set is proposed although its quorum does not hold what is committed.
    AlterationWithoutBarrier,
    /// While a change of the in-sync set is undecided, only the new configuration is asked.
    NewRuleAlone,
    /// A copy enters the in-sync set although its log begins above another member's end.
    LowWaterIgnored,
    /// A member takes appends of a lower epoch than the one it has promised.
    PromiseNotKept,
    /// A member takes records although it does not have the one before.
    PreviousUnchecked,
    /// A member cuts what stands behind a shorter append that is repeated.
    ShorterAppendCuts,
    /// A member acknowledges records that are on their way to its disk.
    AcknowledgedBeforeDurable,
    /// A member believes everything committed that a message says, also beyond what it has proven.
    CommitBeyondProven,
    /// In the volatile lane, what another boot of a member says counts.
    BootUnchecked,
    /// In the volatile lane, a member that restarted counts on, although its memory is empty.
    EmptyMemberCounts,
    /// What begins anew after all of its memory was lost is not told from what it was.
    LossNotCounted,
    /// A read is confirmed by the answer to a question that was asked before it came.
    ConfirmedByEarlierQuestion,
    /// A member confirms a reign although it has promised a higher epoch.
    ConfirmedInSpiteOfPromise,
    /// A copy answers a reader although it has not come as far as the reader has seen.
    FenceIgnored,
    /// A copy takes what another reign has committed at an offset for the record that its reader has seen there.
    FenceByOffset,
    /// A reader that waits for a copy is not told when that has come as far.
    FenceNotLifted,
    /// An answer is given although one member less holds the record than its client wants.
    HeldByOneLess,
    /// One member less than a recovery would meet confirms a read.
    OneConfirmationLess,
    /// The write quorum falls, and the recovery quorum does not rise.
    RecoveryQuorumNotRaised,
    /// With a member that is removed the recovery quorum falls, although what was committed has lost a holder.
    RecoveryQuorumFollowsRemoval,
    /// A primary that is removed stays the one that was named.
    RemovedStaysNamed,
    /// A restart finds the promises, and no records.
    RecordsForgotten,
    /// A new process start takes up the reign for which the start before it was named.
    BootResumesRole,
    /// The replica is told that its promise is on the disk when it was only asked for.
    PromiseReportedBeforeSync,
    /// The lineage keeps epochs whose records were cut off.
    LineageNeverCut,
    /// A start finds epochs in the log whose records were replaced.
    LineageKeptAtRecovery,
    /// The log says that a group is on the disk although it was written and never synced.
    SyncWithoutSync,
    /// The log says that a group is on the disk before it is written.
    PersistedBeforeSync,
    /// The newest group that the log holds is dropped when it is opened.
    TailDropped,
    /// A store that met an error goes on with what it had read before.
    SummaryKept,
    /// How far the store has come is written one record short of what its documents say.
    ProgressBehind,
    /// The digest forgets to take away what a document was before.
    DigestOnlyGrows,
    /// A record that makes no new state is taken down only where the same run changes its document besides.
    TouchedByRun,
    /// A deletion changes what is in memory and nothing in the store.
    DeletionNotStored,
    /// A removed document keeps its place in the index.
    IndexKeepsRemoved,
    /// A checkpoint releases the log although the store was not made durable.
    TrimWithoutCheckpoint,
    /// A checkpoint releases the log above what the stores hold.
    TrimAboveUnapplied,
    /// A checkpoint releases records that a member of the in-sync set lacks.
    LogNotKept,
    /// Members that do not hear of anything else do not hear that all of them hold everything.
    LowNotTold,
    /// A copy that was made anew is told to the core before it is lasting.
    RebuiltBeforeLasting,
    /// Documents of the copy that was replaced stay in memory.
    CacheSurvivesRebuild,
    /// A checkpoint does not repeat the promises.
    PromiseNotRepeated,
    /// A failed sync of the state store is taken for one that passes.
    FailedSyncIgnored,
    /// Clients are told before the commit.
    AcknowledgedBeforeCommit,
    /// The state store gets records that are not committed.
    AppliedBeforeCommit,
    /// The state store gets records that other members hold and the own disk does not.
    AppliedBeforeDurable,
    /// A run that the store refused is not tried again.
    RefusedRunLost,
    /// A reign takes what an earlier one decided.
    DecidedInAnotherReign,
    /// A client that waits for a record is told of the record at its offset, whichever reign ordered that one.
    WaiterByOffset,
    /// The newest states keep updates that were cut off.
    RecentNotCut,
    /// Answers are forgotten before the store has them.
    AnswersForgottenEarly,
    /// Tombstones below the horizon stay in the store.
    TombstonesKept,
    /// Pending effects of a store are not taken into a new reign.
    OutboxNotLoaded,
    /// Effects are settled although their failure would pass by itself.
    SettledOnFailure,
    /// Effects are named without the epoch of their record.
    EffectKeyWithoutEpoch,
    /// A claim outlives the reign in which it was made.
    ClaimSurvives,
    /// Space in the log is not released when its record is written.
    SpaceNotReleased,
    /// Updates are admitted however many bytes wait for the state stores.
    UnappliedUnbounded,
}

#[cfg(feature = "mutations")]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Breaks `mutation` on this thread until the next call; none: keeps all rules.
#[cfg(feature = "mutations")]
pub fn set(mutation: Option<Mutation>) {
    BROKEN.set(mutation);
}

/// Returns true if this rule is broken on this thread.
#[cfg(feature = "mutations")]
pub fn is(mutation: Mutation) -> bool {
    BROKEN.get() == Some(mutation)
}

/// Returns false: a build without the feature keeps all rules.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub const fn is(mutation: Mutation) -> bool {
    let _ = mutation;
    false
}

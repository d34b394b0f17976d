//! Reigning: the marker, the order of updates, and what is committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_model::mutation::{self, Mutation};
use steward_model::update::{Change, Entry, Record};
use steward_model::{Epoch, Moment, Offset, Position};

use super::alter::configurations;
use super::commit::committable;
use super::message::{Refused, Said, shown};
use super::progress::Progress;
use super::reads::Reads;
use super::role::Reign;
use super::tail::Tail;
use super::{Effect, Member, NotAdmitted, Replica, Role};

impl Replica {
    /// Returns the epoch in which operations are admitted now.
    ///
    /// # Errors
    /// [`NotAdmitted`] says who admits them, or what this replica waits for; the caller forwards or parks the operation.
    pub fn admits(&self) -> Result<Epoch, NotAdmitted> {
        let Some(row) = &self.row else {
            return Err(NotAdmitted::Recovering);
        };
        match &self.role {
            // I6: amnesia has left fewer members than a commit needs. What was executed now would wait for a commit
            // that may never come; what is refused now has not happened.
            Role::Primary(_)
                if row.in_sync.len() < row.write_quorum as usize && !mutation::is(Mutation::TooFewInSync) =>
            {
                Err(NotAdmitted::TooFewInSync { in_sync: row.in_sync.len(), write_quorum: row.write_quorum })
            }
            // The next one is named in a moment: who waits until then loses nothing.
            Role::Primary(reign) if reign.hand_off.is_some() => Err(NotAdmitted::Recovering),
            Role::Primary(reign) => Ok(reign.epoch),
            Role::Candidate(_) | Role::Activating(_) => Err(NotAdmitted::Recovering),
            // The row names an earlier boot of this node, or an epoch below its promise. Forwarding would come back
            // here; the next row names this boot, or another member.
            Role::Tailing | Role::InSync if row.primary.node == self.own.node => Err(NotAdmitted::Recovering),
            Role::Tailing | Role::InSync => Err(NotAdmitted::NotPrimary { primary: row.primary }),
        }
    }

    /// Returns the position that the next proposed entry gets.
    ///
    /// # Panics
    /// If the replica is not primary; [`Replica::admits`] tells.
    pub fn next_position(&self) -> Position {
        Position { epoch: self.reign().epoch, offset: self.next_offset() }
    }

    /// Begins the reign of `epoch` with its marker.
    pub(super) fn activate(&mut self, now: Moment, epoch: Epoch, effects: &mut Vec<Effect>) {
        // I7: were the promise not on disk, a restart could promise a lower epoch, and two reigns would have its voice.
        assert!(
            self.promised >= epoch,
            "{} activates epoch {epoch}, only {} is promised",
            self.partition,
            self.promised
        );
        let marker = self.next_offset();
        // Only the own disk counts so far. Others acknowledged records of earlier reigns, and whatever of those stood
        // on another branch has been cut since or will be: each proves its log anew, against this one.
        let mut progress = Progress::new(self.partition.lane);
        if let Some(durable) = self.durable {
            progress.prove(self.own, durable);
        }
        let reign = Reign {
            epoch,
            marker,
            progress,
            feeds: BTreeMap::new(),
            tail: Tail::default(),
            undecided: None,
            review: None,
            quiet_until: now,
            reads: Reads::default(),
            hand_off: self.begun_leaving(now),
        };
        self.enter(now, Role::Activating(Box::new(reign)));
        self.sync_feeds(now, marker);
        self.append(now, epoch, Entry::Marker, effects);
        // The epoch is above every one in the log: no record stands above its promise, and `stand` takes only epochs
        // above all promises.
        self.lineage.begin(epoch, marker);
        self.feed(now, effects);
    }

    pub(super) fn proposed(&mut self, now: Moment, entry: Entry, effects: &mut Vec<Effect>) {
        let position = self.next_position();
        match &entry {
            Entry::Marker => panic!("{} is proposed a marker: only a new reign writes one", self.partition),
            Entry::Forget { .. } => {}
            Entry::Update(update) => match update.change {
                // I11: a version names its place, and readers, entity tags and effects go by that name. Another place
                // than the next one means that it was decided in another reign, or before another record came in
                // between.
                Change::NewVersion | Change::Renewal => {
                    let carried = Position { epoch: update.document.epoch, offset: update.document.offset };
                    assert!(
                        carried == position,
                        "{} is proposed {} for {carried}, but the next record is {position}",
                        self.partition,
                        update.document.link.as_str()
                    );
                }
                // It makes no version, so nothing carries a place that could be wrong.
                Change::None => {}
            },
        }
        self.append(now, position.epoch, entry, effects);
        self.feed(now, effects);
    }

    fn append(&mut self, now: Moment, epoch: Epoch, entry: Entry, effects: &mut Vec<Effect>) {
        let position = Position { epoch, offset: self.next_offset() };
        // A member that copies the record sees by the epoch before it that its own log is the same up to there (I8).
        let previous = self.last_epoch();
        let record = Arc::new(Record { position, previous, entry });
        self.keep_for_copies(now, &record);
        self.end = Some(position);
        effects.push(Effect::Persist(record));
    }

    pub(super) fn persisted(&mut self, now: Moment, position: Position, effects: &mut Vec<Effect>) {
        let is_in_log = self.holds(position);
        // A report may be late: the log is written by others, and what they wrote may have been cut off meanwhile. Such a
        // record says nothing about the log as it is; the records that took its place are reported for themselves.
        if self.was_cut && !is_in_log {
            return;
        }
        assert!(
            is_in_log,
            "{} is told that {position} is persisted, but its log ends with {}",
            self.partition,
            shown(&self.end)
        );
        // The log is written in its order, so this record answers for all before it, and an earlier report that comes
        // late says nothing new.
        self.durable = self.durable.max(Some(position.offset));
        let own = self.own;
        if let Role::Activating(reign) | Role::Primary(reign) = &mut self.role {
            reign.progress.prove(own, position.offset);
        }
        // Only who orders updates knows what the others hold. A candidate's tail may be on every disk and is not
        // committed before a marker of this reign is (I5).
        self.advance(now, effects);
        self.acknowledge(effects);
    }

    /// Takes an acknowledgement of another member. It counts only if it was given in this reign, for a record of this
    /// log: peers may be late, and a different branch proves nothing about this one.
    pub(super) fn acknowledgement_received(
        &mut self,
        now: Moment,
        from: Member,
        (epoch, through): (Epoch, Option<Position>),
        said: Said,
        effects: &mut Vec<Effect>,
    ) {
        let is_of_this_log = through.is_none_or(|through| self.holds(through));
        let (Role::Activating(reign) | Role::Primary(reign)) = &mut self.role else { return };
        // This node counts by its disk alone, never by what a message says in its name (I7). Who is not listed may hold
        // the record and still counts for nothing: the `r` members that the next candidate hears are drawn from those
        // who are (I4); that is for the configurations to say.
        if reign.epoch != epoch || !is_of_this_log || !reign.feeds.contains_key(&from.node) {
            return;
        }
        if let Some(through) = through {
            reign.progress.prove(from, through.offset);
        }
        self.copy_acknowledged(now, from, through.map(|through| through.offset), said);
        self.advance(now, effects);
        self.feed(now, effects);
    }

    /// Takes the refusal of something that this replica asked for in its reign, or as candidate.
    pub(super) fn refused(
        &mut self,
        now: Moment,
        from: Member,
        epoch: Epoch,
        reason: Refused,
        effects: &mut Vec<Effect>,
    ) {
        if self.own_epoch() != Some(epoch) {
            return;
        }
        match reason {
            // Somebody was named for that epoch, so this one is over, whether or not its row has come.
            Refused::Promised(promised) if promised > epoch => self.leave_reign(now, None, effects),
            Refused::Promised(_) => {}
            Refused::Unmatched { log, committed } => self.copy_refused(now, from, &log, committed, effects),
        }
    }

    /// Commits what a quorum holds by now; the first time, that is the marker and everything before it.
    pub(super) fn advance(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Activating(reign) | Role::Primary(reign), Some(row)) = (&self.role, &self.row) else {
            return;
        };
        let held = committable(configurations(row, reign), &reign.progress);
        self.commit(now, held, effects);
        self.raise_low(now);
        self.review(now, effects);
    }

    fn commit(&mut self, now: Moment, held: Option<Offset>, effects: &mut Vec<Effect>) {
        let (Role::Activating(reign) | Role::Primary(reign), Some(held)) = (&self.role, held) else { return };
        // I5: `W` members may hold a record of an earlier reign and the next candidate still displace it, if its own
        // log ends in an epoch between the two. Once `W` hold the marker, every `r` members include one of them, and no
        // log without the marker is the greatest.
        let has_marker = held >= reign.marker || mutation::is(Mutation::CommitWithoutMarker);
        // What is held by a quorum may fall when the quorum is raised or a member leaves; what was committed stays so,
        // because the change was proposed only once its own quorum held that.
        if !has_marker || Some(held) <= self.committed {
            return;
        }
        self.committed = Some(held);
        effects.push(Effect::Commit { through: held });
        // After the commit: an operation that is admitted must find everything that earlier reigns committed.
        self.role = match std::mem::replace(&mut self.role, Role::InSync) {
            Role::Activating(reign) => {
                effects.push(Effect::Serve(reign.epoch));
                self.since = now;
                Role::Primary(reign)
            }
            role @ (Role::Tailing | Role::InSync | Role::Candidate(_) | Role::Primary(_)) => role,
        };
        self.note_news(now);
        self.propose_successor(effects);
    }

    /// Raises what every member holds, by what each has proven in this reign; it never falls. Logs may be trimmed below.
    fn raise_low(&mut self, now: Moment) {
        let (Role::Activating(reign) | Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return };
        let members = configurations(row, reign).flat_map(|configuration| configuration.in_sync);
        let low = members.map(|member| reign.progress.proven(*member)).min().flatten();
        // What is held by all is committed, or will be: but a reign that has not committed its marker may end, and its
        // records with it.
        let low = low.min(self.committed);
        if low > self.low {
            self.low = low;
            if !mutation::is(Mutation::LowNotTold) {
                self.note_news(now);
            }
        }
    }

    fn reign(&self) -> &Reign {
        match &self.role {
            Role::Primary(reign) => reign,
            Role::Tailing | Role::InSync | Role::Candidate(_) | Role::Activating(_) => {
                panic!("{} is {}, not primary: ask admits first", self.partition, self.role())
            }
        }
    }
}

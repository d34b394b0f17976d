//! Forgetting what is old: tombstones and remembered answers.
//!
//! Problem: only a clock can tell how old something is, and no two copies have the same clock.
//!
//! Promise: the primary decides, and a record says up to which offset is forgotten. So every copy forgets the same at
//! the same place of its log. Ages are counted by steady time: setting the clock of the machine forgets nothing early.

use std::time::Duration;

use steward_model::{Moment, Timestamp};
use steward_storage::documents::Error;

use crate::partition::Message;
use crate::partitions::Partitions;

/// How long answers are remembered.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Tombstones and answers of one partition that are forgotten at one time, of each.
const FORGOTTEN_MAX: usize = 1024;

impl Partitions {
    /// Has every partition that is served here forget what is too old; `steady` is the time by which ages are counted. Returns true if
    /// that may not be all of it: the rest can be forgotten once the stores have forgotten this.
    ///
    /// # Errors
    /// [`Error`] of the state store of the first partition that cannot be looked at; those before it have been told.
    pub fn forget(&self, now: Moment, steady: Timestamp) -> Result<bool, Error> {
        let answered = Timestamp(steady.0.saturating_sub(ANSWERS_KEPT.as_micros() as i64));
        let mut is_more = false;
        for partition in self.all().filter(|partition| partition.admits().is_ok()) {
            if let Some(horizons) = partition.store().forgettable(steady, answered, FORGOTTEN_MAX)? {
                is_more |= !horizons.is_all;
                partition.post(Message::Forget(horizons));
                partition.step(now);
            }
        }
        Ok(is_more)
    }
}

//! How pending effects are given up: an operator says that those of a document or of a whole factory shall not be sent any more, or a
//! guest does, of those of its document.
//!
//! A guest says so by an effect that deletes them, `DELETE <its link>/effects?tag=<tag>`. Nothing is sent for that effect. The update
//! that wants it settles them, together with its state or not at all. An effect that is under way at that moment may still arrive.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use steward_model::operation::{Effect, EffectKey};
use steward_model::{Action, Epoch, Link};

use super::decision::Decision;
use super::{Error, Operations};
use crate::partition::{Behind, NotConfirmed, Partition, Senders};

/// Effects that one record settles: with the longest links it is far below what a frame of the log takes.
const TOGETHER: usize = 1000;

/// How long an operator waits for a reign that began a moment ago, and has to read what is pending.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

/// Pause before such a reign is looked at again.
const PAUSE: Duration = Duration::from_millis(20);

/// Records that are noted before their commit is awaited: an operator asks for nothing that could not wait, and clients write meanwhile.
const RECORDS_AT_ONCE: usize = 64;

impl Operations {
    /// Settles what documents of this node have to send, all of it or what has the tag, and returns how many effects that were. An
    /// attempt that is under way ends as it ends.
    ///
    /// # Errors
    /// [`Error::Behind`] if the reign does not know yet what is pending, those of [`Operations::settled`], [`Error::NotConfirmed`] if this
    /// node is not the owner, or not any more: what was not settled is still sent.
    pub(super) async fn give_up_here(
        &self,
        partition: &Partition,
        senders: &Senders,
        tag: Option<&str>,
    ) -> Result<usize, Error> {
        // What updates under way send is pending once they are committed.
        self.settled(partition).await?;
        let known = tokio::time::timeout(KNOWN_WITHIN, known(partition, senders, tag));
        let (reign, mut keys) = known.await.map_err(|_| Behind(partition.id()))??;
        // A reign that is over has noted nothing, and knows of nothing that is pending: the next owner sends it all.
        let goes_on = || match partition.admits() == Ok(reign) {
            true => Ok(()),
            false => Err(NotConfirmed(partition.id())),
        };
        keys.sort();
        // A record is about one document.
        let of_documents = keys.chunk_by(|one, next| one.link == next.link);
        let records: Vec<&[EffectKey]> = of_documents.flat_map(|of_one| of_one.chunks(TOGETHER)).collect();
        for some in records.chunks(RECORDS_AT_ONCE) {
            for record in some {
                partition.settle(record.to_vec(), self.clock.timestamp());
                partition.step(self.clock.now());
            }
            self.settled(partition).await.map_err(Error::begun)?;
            goes_on()?;
        }
        let left = partition.with_outbox(|outbox| keys.iter().filter(|key| outbox.is_pending(key)).count());
        goes_on()?;
        Ok(keys.len() - left)
    }
}

/// Returns the reign of this node and what is pending in it, once the reign knows that.
async fn known(
    partition: &Partition,
    senders: &Senders,
    tag: Option<&str>,
) -> Result<(Epoch, Vec<EffectKey>), NotConfirmed> {
    loop {
        let reign = partition.admits().map_err(|_| NotConfirmed(partition.id()))?;
        match partition.pending_of(senders, tag) {
            Some(keys) => return Ok((reign, keys)),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Turns the effects by which a guest gives up others into what the update settles.
///
/// # Errors
/// [`Error::Behind`] if the reign does not know yet what is pending.
pub(super) fn give_up_decided(partition: &Partition, link: &Link, decision: &mut Decision) -> Result<(), Error> {
    let (given_up, effects) =
        std::mem::take(&mut decision.effects).into_iter().partition(|effect| gives_up(effect, link));
    decision.effects = effects;
    let given_up: Vec<Effect> = given_up;
    let own = Senders::Document(link.clone());
    for effect in given_up {
        decision.settled.extend(pending_of(partition, &own, tag_of(&effect.to).as_deref())?);
    }
    decision.settled.sort();
    decision.settled.dedup();
    Ok(())
}

fn pending_of(partition: &Partition, senders: &Senders, tag: Option<&str>) -> Result<Vec<EffectKey>, Error> {
    partition.pending_of(senders, tag).ok_or(Error::Behind(Behind(partition.id())))
}

/// Returns true if a guest gives up effects of its own document with this one.
pub(super) fn gives_up(effect: &Effect, link: &Link) -> bool {
    let path = effect.to.split('?').next().unwrap_or_default();
    let own = path.strip_prefix(link.as_str()) == Some("/effects");
    own && effect.action == Action::Delete && effect.delay_millis <= 0 && effect.reply_tag.is_empty()
}

/// Returns the tag that the query part of a target names.
fn tag_of(to: &str) -> Option<Cow<'_, str>> {
    let (_, query) = to.split_once('?')?;
    let tag = query.split('&').find_map(|pair| pair.strip_prefix("tag="))?;
    Some(percent_decode_str(tag).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deleting_the_own_effects_gives_them_up() {
        let link = Link::parse("/core/diaries/d").expect("a valid link");
        let effect = |action, to: &str, reply_tag: &str| Effect {
            to: to.to_owned(),
            action,
            headers: vec![],
            body: None,
            delay_millis: 0,
            reply_tag: reply_tag.to_owned(),
        };
        assert!(gives_up(&effect(Action::Delete, "/core/diaries/d/effects?tag=a", ""), &link));
        assert!(gives_up(&effect(Action::Delete, "/core/diaries/d/effects", ""), &link));
        assert!(!gives_up(&effect(Action::Get, "/core/diaries/d/effects", ""), &link));
        assert!(!gives_up(&effect(Action::Delete, "/core/diaries/other/effects", ""), &link));
        assert!(!gives_up(&effect(Action::Delete, "/core/diaries/d/effects", "tell me"), &link));
        assert_eq!(tag_of("/core/diaries/d/effects?tag=a%20b%26").as_deref(), Some("a b&"));
        assert_eq!(tag_of("/core/diaries/d/effects"), None);
    }
}

//! Carries effects between the documents of a world.

use std::rc::Rc;

use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Link, Timestamp};
use steward_replication::Partition;
use steward_replication::courier::{Carrier, Sent, Told};

use crate::requests::{Answer, Request, Wish, answer};
use crate::tasks::{Around, Done, pause};

/// See the head of this module.
struct Within(Rc<Around>);

impl Carrier for Within {
    type Reply = ();

    fn wall_time(&self) -> Timestamp {
        self.0.wall.get()
    }

    async fn send(&self, effect: &PendingEffect) -> Sent<()> {
        let Ok(link) = Link::parse(&effect.effect.to) else { return Sent::Answered(()) };
        let request = Request { name: effect.key.to_string(), is_keyed: true, link, wish: Wish::Put(0) };
        match answer(&self.0, &request).await {
            Ok(Answer::Done(_) | Answer::Repeated(_) | Answer::Nothing) => Sent::Answered(()),
            Ok(Answer::NotNow(_) | Answer::Unknown) | Err(_) => Sent::Later,
        }
    }

    fn failed(&self, _: &PendingEffect) {}

    async fn pause(&self, _: u32) -> bool {
        pause().await;
        true
    }

    async fn tell(&self, link: &Link, settled: &[EffectKey], tag: &str, (): &()) -> Told {
        let name = settled.last().map_or(tag.to_owned(), |key| format!("{tag}-{key}"));
        let request = Request { name, is_keyed: false, link: link.clone(), wish: Wish::Answered(settled.to_vec()) };
        match answer(&self.0, &request).await {
            Ok(Answer::Done(_) | Answer::Repeated(_) | Answer::Nothing) => Told::Settled,
            Ok(Answer::NotNow(_) | Answer::Unknown) | Err(_) => Told::Later,
        }
    }

    fn settle(&self, partition: &Partition, settled: Vec<EffectKey>) {
        partition.settle(settled, self.0.wall.get());
        partition.step(self.0.now.get());
    }
}

/// Carries out what a claimed document has pending.
pub(crate) async fn carry(
    around: Rc<Around>,
    partition: steward_model::PartitionId,
    claim: steward_replication::partition::Claim,
) -> Done {
    let partition = std::sync::Arc::clone(around.partitions.get(partition));
    steward_replication::courier::deliver(&Within(around), &partition, claim).await;
    Done::Carried
}

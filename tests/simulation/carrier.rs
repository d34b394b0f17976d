//! Carries effects from one document of a world to another.

use std::rc::Rc;
use std::sync::Arc;

use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Epoch, Link, Moment, PartitionId, Timestamp};
use steward_protocol::replica::RoleName;
use steward_replication::Partition;
use steward_replication::courier::{Carrier, Sent, Told, deliver};
use steward_replication::partition::Claim;

use crate::requests::{Answer, Request, Wish, answer};
use crate::tasks::{Around, Done, pause};

struct Within {
    around: Rc<Around>,
    partition: PartitionId,
    /// The reign in which the document was claimed.
    reign: Epoch,
}

impl Carrier for Within {
    type Reply = ();

    fn steady_time(&self) -> Timestamp {
        self.around.steady()
    }

    fn now(&self) -> Moment {
        self.around.now.get()
    }

    async fn send(&self, effect: &PendingEffect, _: Moment) -> Sent<()> {
        let status = self.around.partitions.get(self.partition).status().replica;
        let reign = status.row.filter(|_| status.role == RoleName::Primary).map(|row| row.epoch);
        if reign != Some(self.reign) {
            let stray = format!("effect {} goes out for the reign {}, now it is {reign:?}", effect.key, self.reign);
            self.around.stray.borrow_mut().get_or_insert(stray);
        }
        let Ok(link) = Link::parse(&effect.effect.to) else { return Sent::Answered(()) };
        let request = Request { name: effect.key.to_string(), is_keyed: true, link, wish: Wish::Put(0) };
        match answer(&self.around, &request).await {
            Ok(Answer::Done(_) | Answer::Repeated(_) | Answer::Nothing) => Sent::Answered(()),
            Ok(Answer::NotNow(_) | Answer::Unknown) | Err(_) => Sent::Later { otherwise: () },
        }
    }

    async fn pause(&self, _: u32) -> bool {
        pause().await;
        true
    }

    async fn tell(&self, effect: &PendingEffect, settled: &[EffectKey], (): &()) -> Told {
        let name = format!("{}-{}", effect.effect.reply_tag, effect.key);
        let (link, wish) = (effect.key.link.clone(), Wish::Answered(settled.to_vec()));
        let request = Request { name, is_keyed: false, link, wish };
        match answer(&self.around, &request).await {
            Ok(Answer::Done(_) | Answer::Repeated(_) | Answer::Nothing) => Told::Settled,
            Ok(Answer::NotNow(_) | Answer::Unknown) | Err(_) => Told::Later,
        }
    }

    fn settle(&self, partition: &Partition, settled: Vec<EffectKey>) {
        partition.settle(settled, self.around.timestamp());
        partition.step(self.around.now.get());
    }
}

/// Carries out what a claimed document has pending.
pub(crate) async fn carry(around: Rc<Around>, (partition, reign): (PartitionId, Epoch), claim: Claim) -> Done {
    let copy = Arc::clone(around.partitions.get(partition));
    deliver(&Within { around, partition, reign }, &copy, claim).await;
    Done::Carried
}

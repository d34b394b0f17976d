//! A reader at the primary that the table names sees the newest committed state: it has every update that was
//! acknowledged before, and none that is not committed.

use crate::facts::Fact;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::Read { link, partition, epoch, document } = fact else { continue };
        // A primary that another has followed does not know it yet; reads are not confirmed so far.
        if world.table.row(*partition).epoch != *epoch {
            continue;
        }
        let shown = document.as_ref().map(|document| (document.epoch, document.offset));
        let known = world.oracle.about(*partition);
        let committed = known.and_then(|known| known.model.document(link));
        let committed = committed.map(|document| (document.epoch, document.offset));
        // A tombstone that is forgotten is as good as none.
        let is_gone = committed.is_none() && document.as_ref().is_some_and(|document| document.is_tombstone());
        if shown != committed && !is_gone {
            return Err(format!("{link} is shown as of {shown:?}, committed is {committed:?}"));
        }
    }
    Ok(())
}

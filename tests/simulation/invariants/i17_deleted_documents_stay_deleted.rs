//! No deleted document returns: neither to whoever reads, nor in a store.

use crate::facts::Fact;
use crate::world::World;

pub(crate) fn check(world: &World, facts: &[Fact]) -> Result<(), String> {
    for fact in facts {
        let Fact::Read { link, partition, document: Some(document), epoch } = fact else { continue };
        if document.is_tombstone() || world.table.row(*partition).epoch != *epoch {
            continue;
        }
        let Some(known) = world.oracle.about(*partition) else { continue };
        let removed = known.model.removed.get(link);
        if removed.is_some_and(|removed| *removed > document.offset) {
            return Err(format!("{link} is shown as of {}, it was removed at {removed:?}", document.offset));
        }
    }
    let looked = facts.iter().filter_map(|fact| match fact {
        Fact::LookAtStore(partition) => Some(*partition),
        _ => None,
    });
    for partition in looked {
        let Some(known) = world.oracle.about(partition) else { continue };
        let store = world.documents(partition);
        let applied = world.machine.store.without_faults(|| store.meta()).map(|meta| meta.applied).unwrap_or_default();
        for (link, removed) in known.model_at(applied).removed {
            let found = world.machine.store.without_faults(|| store.document(&link)).unwrap_or_default();
            if let Some(document) = found.filter(|found| !found.is_tombstone() && found.offset < removed) {
                return Err(format!("{link} is stored as of {}, it was removed at {removed}", document.offset));
            }
        }
    }
    Ok(())
}

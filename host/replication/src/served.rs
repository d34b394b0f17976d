//! Which copies this node answers for.
//!
//! A query reads all partitions of a lane at once. It has to pass over copies that only follow, whose documents another node
//! answers for; and it must not ask each partition for that. So each notes here when it begins to serve and when it ends, and
//! a reader takes what is noted as a whole.

use std::sync::{Arc, Mutex};

use steward_model::Lane;
use steward_storage::documents::Copies;
use steward_storage::keys::Space;

use crate::observer::unpoisoned;

/// The copies of each lane that this node answers for. A reader's set stays as it was taken.
#[derive(Debug)]
pub struct Served {
    persisted: Mutex<Arc<Copies>>,
    volatile: Mutex<Arc<Copies>>,
}

impl Default for Served {
    fn default() -> Served {
        let none = |lane| Mutex::new(Arc::new(Copies::none(lane)));
        Served { persisted: none(Lane::Persisted), volatile: none(Lane::Volatile) }
    }
}

impl Served {
    fn lane(&self, lane: Lane) -> &Mutex<Arc<Copies>> {
        match lane {
            Lane::Persisted => &self.persisted,
            Lane::Volatile => &self.volatile,
        }
    }

    /// Returns the copies of a lane that are served now.
    pub fn copies(&self, lane: Lane) -> Arc<Copies> {
        Arc::clone(&unpoisoned(self.lane(lane).lock()))
    }

    /// Takes note that a copy is served.
    pub(crate) fn begin(&self, copy: Space) {
        let mut copies = unpoisoned(self.lane(copy.partition.lane).lock());
        // Readers keep what they have taken.
        Arc::make_mut(&mut copies).add(copy);
    }

    /// Takes note that a copy is served no more.
    pub(crate) fn end(&self, copy: Space) {
        let mut copies = unpoisoned(self.lane(copy.partition.lane).lock());
        Arc::make_mut(&mut copies).remove(copy);
    }
}

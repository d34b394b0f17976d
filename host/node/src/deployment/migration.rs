//! Bringing what a factory has stored to the newest shape, a portion at a time.
//!
//! **Problem.** A document that an older module wrote is migrated whenever it is read, and stays as it is until somebody changes it. As
//! long as one of them is left, each module to come must read its shape.
//!
//! **Promise.** Each document of an older shape gets a new version with the same state in the newest shape, through the same road as an
//! update: on its owner, in its turn, committed by its quorum. Documents that are changed meanwhile are in the newest shape by
//! that. One that cannot be migrated is told and left as it is; the others go on.
//!
//! The caller asks for one portion after the other, each from where the last one ended, and so decides how fast it goes. A portion that
//! is repeated finds nothing left to do.

use std::sync::Arc;

use steward_model::operation::Cause;
use steward_model::problem::Problem;
use steward_model::{Action, Link};

use super::deployments::Deployments;
use super::error::Error;
use crate::failure;
use crate::operation::Purpose;
use crate::partition::Partition;
use crate::service::Service;

/// Most documents that one portion looks at, of whatever shape.
const SEEN_MAX: usize = 20_000;

/// Where a portion begins: partitions follow one another, and in each of them documents by their links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The partition, by its place in its lane.
    partition: usize,
    /// The document behind which it goes on; none: from the first.
    after: Option<Link>,
}

impl Place {
    /// Returns the place that [`Place::to_string`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Place> {
        let (partition, after) = text.split_once(':')?;
        let after = if after.is_empty() { None } else { Some(Link::parse(after).ok()?) };
        Some(Place { partition: partition.parse().ok()?, after })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.partition, self.after.as_ref().map_or("", Link::as_str))
    }
}

/// What a portion has done.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    /// Documents that are in the newest shape now and were not.
    pub migrated: u64,
    /// Documents that could not be migrated, and why.
    pub refused: Vec<(Link, Problem)>,
    /// Where the next one begins; none: this was the last.
    pub next: Option<Place>,
}

/// Documents of older shapes in one partition.
struct Older {
    links: Vec<Link>,
    /// The last document that was looked at, if there are more behind it.
    last: Option<Link>,
    seen: usize,
}

impl Deployments {
    /// Brings at most `limit` documents of the service to its newest shape, from `place` on.
    ///
    /// # Errors
    /// [`Error::Operation`] if what is stored cannot be looked at now. What has been migrated by then stays so.
    pub(crate) async fn migrate(&self, service: &Arc<Service>, place: Place, limit: usize) -> Result<Portion, Error> {
        let partitions = self.operations.partitions().lane(service.lane());
        let (mut portion, mut place, mut seen, mut left) = (Portion::default(), place, 0, limit);
        while let Some(partition) = partitions.get(place.partition) {
            if left == 0 || seen >= SEEN_MAX {
                portion.next = Some(place);
                break;
            }
            // This node may own none of it: what was acknowledged elsewhere has to be here before it is looked for.
            self.operations.fence(&service.path, partition).await?;
            let older = older(service, partition, place.after.take(), left, SEEN_MAX - seen).await?;
            (seen, left) = (seen + older.seen.max(1), left - older.links.len());
            for link in older.links {
                match self.migrate_one(link.clone()).await {
                    Ok(()) => portion.migrated += 1,
                    Err(error) => portion.refused.push((link, error.problem())),
                }
            }
            place = match older.last {
                Some(last) => Place { partition: place.partition, after: Some(last) },
                None => Place { partition: place.partition + 1, after: None },
            };
        }
        Ok(portion)
    }

    async fn migrate_one(&self, link: Link) -> Result<(), crate::operation::Error> {
        let id = format!("migrate-{}", link.name());
        let migrate = self.operations.own(id, Action::Patch, link, Cause::Maintenance, Purpose::Migrate);
        self.operations.submit(Box::new(migrate)).await.map(|_| ())
    }
}

/// Looks for documents that are not in the newest shape.
async fn older(
    service: &Arc<Service>,
    partition: &Arc<Partition>,
    after: Option<Link>,
    most: usize,
    seen_max: usize,
) -> Result<Older, Error> {
    let (service, partition) = (Arc::clone(service), Arc::clone(partition));
    let look = move || -> Result<Older, Error> {
        let (path, newest) = (&service.path, service.descriptor().state_version);
        let view = partition.store().view()?;
        let mut older = Older { links: Vec::new(), last: None, seen: 0 };
        for document in partition.store().documents(&*view, path, after.as_ref()) {
            let document = document?;
            older.seen += 1;
            let is_meant = !document.is_tombstone() && document.link.parent().as_ref() == Some(path);
            if is_meant && document.state_version != newest {
                older.links.push(document.link.clone());
            }
            if older.links.len() == most || older.seen >= seen_max {
                older.last = Some(document.link);
                break;
            }
        }
        Ok(older)
    };
    tokio::task::spawn_blocking(|| failure::contain(look)).await.map_err(|_| Error::Broken)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let link = Link::parse("/core/counters/c:1").expect("a valid link");
        for place in [Place::default(), Place { partition: 17, after: Some(link) }] {
            assert_eq!(Place::parse(&place.to_string()), Some(place));
        }
        for text in ["", "x:/a", "17", "17:no link"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}

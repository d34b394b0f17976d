//! Changes of factories: mount, move to another module, roll back, unmount.

use std::sync::Arc;
use std::time::Duration;

use steward_model::module::Digest;
use steward_model::service::Descriptor;
use steward_model::{Link, NodeId};
use steward_protocol::cluster::command::{Applied, Refused};
use steward_protocol::cluster::group::NodeStatus;
use steward_protocol::cluster::registry::Factory;
use steward_protocol::cluster::{ClusterState, Command};

use super::decide;
use super::deployments::{Change, Deployments};
use super::error::Error;
use crate::cluster::ProposeError;
use crate::peer::Lane;
use crate::service::shown_elsewhere;

/// How long a change may take to reach the services of this node, and then those of the others.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// What a factory is to run, as somebody asks for it.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// This module.
    Module(Digest),
    /// What it ran at this revision; none: the module before the one of now.
    Earlier(Option<u64>),
}

/// A change that was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Nothing had to be changed.
    Nothing,
    /// The services of all nodes that are AVAILABLE show it, as far as they can be reached.
    Served,
    /// It is decided, and does not show everywhere yet.
    Decided,
}

/// A change of what a factory runs, not decided yet.
struct Alteration {
    /// The revision of the factory that it is based on.
    revision: u64,
    descriptor: Descriptor,
    command: Command,
}

impl Deployments {
    /// Lets a module answer at a path where nothing does: its own path, unless another one is given. `seen` is the revision of the
    /// factory that the change was decided on; none: the one of now. Where the module answers already, nothing has to be changed.
    ///
    /// # Errors
    /// [`Error`] says why not.
    pub(crate) async fn mount(
        self: &Arc<Self>,
        path: Option<Link>,
        module: Digest,
        seen: Option<u64>,
        message: String,
    ) -> Result<(Link, Changed), Error> {
        let state = self.newest().await?;
        let descriptor = descriptor_of(&state, module)?;
        let path = path.unwrap_or_else(|| descriptor.factory.clone());
        if let Some(revision) = state.factory(&path).and_then(|factory| made_already(factory, Some(module), seen)) {
            let changed = self.shown_already(&path, Some(revision)).await;
            return Ok((path, changed));
        }
        let ready = self.ready(module, &descriptor).await?;
        self.check(&path, &ready, &descriptor).await?;
        let revision = seen.or(state.factory(&path).map(|factory| factory.revision)).unwrap_or(0);
        let command = self.command(&path, revision, (module, &descriptor), message, Change::Create);
        let changed = self.decided(&path, revision, Some(descriptor), command).await?;
        Ok((path, changed))
    }

    /// Lets another module answer at a mounted path.
    ///
    /// # Errors
    /// [`Error`] says why not.
    pub(crate) async fn alter(
        self: &Arc<Self>,
        path: &Link,
        wanted: Wanted,
        seen: Option<u64>,
        message: String,
    ) -> Result<Changed, Error> {
        match self.alteration(path, wanted, seen, message).await? {
            None => {
                let revision = self.control.state().factory(path).map(|factory| factory.revision);
                Ok(self.shown_already(path, revision).await)
            }
            Some(Alteration { revision, descriptor, command }) => {
                self.decided(path, revision, Some(descriptor), command).await
            }
        }
    }

    /// Goes through all checks of [`Deployments::alter`] and those of the system group, and changes nothing.
    ///
    /// # Errors
    /// Those that the change would meet now.
    pub(crate) async fn rehearse(&self, path: &Link, wanted: Wanted, seen: Option<u64>) -> Result<(), Error> {
        if let Some(Alteration { command, .. }) = self.alteration(path, wanted, seen, String::new()).await? {
            ClusterState::clone(&self.control.state()).apply(&command).map_err(Error::Refused)?;
        }
        Ok(())
    }

    /// Returns the checked change that lets another module answer at a mounted path; none if it answers already.
    async fn alteration(
        &self,
        path: &Link,
        wanted: Wanted,
        seen: Option<u64>,
        message: String,
    ) -> Result<Option<Alteration>, Error> {
        let state = self.newest().await?;
        let factory = factory_of(&state, path)?;
        let module = match wanted {
            Wanted::Module(module) => module,
            Wanted::Earlier(None) if rolled_back_already(factory, seen) => return Ok(None),
            Wanted::Earlier(number) => earlier_module(factory, number)?,
        };
        let descriptor = descriptor_of(&state, module)?;
        let ready = self.ready(module, &descriptor).await?;
        self.check(path, &ready, &descriptor).await?;
        if made_already(factory, Some(module), seen).is_some() {
            return Ok(None);
        }
        let revision = seen.unwrap_or(factory.revision);
        let command = self.command(path, revision, (module, &descriptor), message, Change::Update);
        Ok(Some(Alteration { revision, descriptor, command }))
    }

    /// Lets nothing answer at a path any more; its documents stay. Where nothing does since revision `seen`, nothing has to be changed.
    ///
    /// # Errors
    /// [`Error`] says why not.
    pub(crate) async fn unmount(
        self: &Arc<Self>,
        path: &Link,
        seen: Option<u64>,
        message: String,
    ) -> Result<Changed, Error> {
        let state = self.newest().await?;
        let factory = factory_of(&state, path)?;
        if made_already(factory, None, seen).is_some() {
            return Ok(self.shown_already(path, None).await);
        }
        let revision = seen.unwrap_or(factory.revision);
        let authorship = self.authorship(message);
        let command = Command::UnmountFactory { path: path.clone(), revision, authorship };
        decide::decide(self, path, revision, None, command).await?;
        Ok(self.shown(path, None).await)
    }

    /// Returns a state that shows what was decided before, on whichever node: somebody may have uploaded a module, or unmounted a
    /// factory, and go on here.
    ///
    /// # Errors
    /// [`Error::Undecided`] if no majority of the voters confirms it in time.
    pub(crate) async fn newest(&self) -> Result<Arc<ClusterState>, Error> {
        self.control.newest().await.map_err(|_| Error::Undecided(ProposeError::NoLeader))
    }

    async fn decided(
        self: &Arc<Self>,
        path: &Link,
        seen: u64,
        descriptor: Option<Descriptor>,
        command: Command,
    ) -> Result<Changed, Error> {
        let revision = match decide::decide(self, path, seen, descriptor, command).await? {
            Applied::Revised { revision } => revision,
            // Only the commands of factories come here, and those make revisions.
            Applied::Done | Applied::Registered { .. } | Applied::Altered(_) => return Err(Error::Broken),
        };
        Ok(self.shown(path, Some(revision)).await)
    }

    /// Returns how far a change is that was decided before.
    async fn shown_already(&self, path: &Link, revision: Option<u64>) -> Changed {
        match self.shown(path, revision).await {
            Changed::Decided => Changed::Decided,
            Changed::Nothing | Changed::Served => Changed::Nothing,
        }
    }

    /// Waits for the services of all nodes to show a change: whoever hears that it is done may ask any of them.
    async fn shown(&self, path: &Link, revision: Option<u64>) -> Changed {
        let here = self.operations.services().shown(path, revision);
        if tokio::time::timeout(SERVED_WITHIN, here).await.is_err() {
            return Changed::Decided;
        }
        let Some(links) = self.operations.links() else { return Changed::Served };
        let state = self.control.state();
        let is_available = |node: &NodeId| state.node(*node).is_some_and(|node| node.status == NodeStatus::Available);
        // One that cannot be reached hears of it from the group before it is asked anything.
        let others = links.connected(Lane::Bulk).into_iter().filter(is_available);
        match shown_elsewhere(links, others, (path, revision), SERVED_WITHIN).await {
            true => Changed::Served,
            false => Changed::Decided,
        }
    }
}

fn factory_of<'a>(state: &'a ClusterState, path: &Link) -> Result<&'a Factory, Error> {
    let not_mounted = || Error::Refused(Refused::NotMounted { path: path.clone() });
    state.factory(path).ok_or_else(not_mounted)
}

fn descriptor_of(state: &ClusterState, digest: Digest) -> Result<Descriptor, Error> {
    let unknown = || Error::Refused(Refused::UnknownModule { digest });
    let module = state.module(&digest).ok_or_else(unknown)?;
    module.descriptor().map_err(|error| Error::Module(steward_sandbox::PrepareError::Descriptor(error).into()))
}

/// Returns the revision of a factory at which it runs what somebody who has seen revision `seen` asks for once more; `wanted` is a module,
/// or none if nothing is to answer.
fn made_already(factory: &Factory, wanted: Option<Digest>, seen: Option<u64>) -> Option<u64> {
    let is_seen = seen.is_none_or(|seen| [Some(seen), seen.checked_add(1)].contains(&Some(factory.revision)));
    (module_of(factory) == wanted && is_seen).then_some(factory.revision)
}

/// Returns true if a factory runs the module before the one of revision `seen`, and no other change lies in between. Without `seen`
/// each rollback is one more.
fn rolled_back_already(factory: &Factory, seen: Option<u64>) -> bool {
    let Some(seen) = seen else { return false };
    let then = factory.history.iter().find(|revision| revision.number == seen).and_then(|revision| revision.module);
    let earlier = before(factory, seen, then);
    earlier.is_some() && made_already(factory, earlier, Some(seen)).is_some_and(|revision| revision > seen)
}

fn module_of(factory: &Factory) -> Option<Digest> {
    factory.mounted.as_ref().map(|mounted| mounted.module)
}

/// Returns the module of the newest revision up to `number` that had another one than `now`.
fn before(factory: &Factory, number: u64, now: Option<Digest>) -> Option<Digest> {
    let up_to = factory.history.iter().rev().filter(|revision| revision.number <= number);
    up_to.filter_map(|revision| revision.module).find(|module| Some(*module) != now)
}

/// Returns the module of revision `number`; without a number that of the newest revision with another module than now.
fn earlier_module(factory: &Factory, number: Option<u64>) -> Result<Digest, Error> {
    let missing = |reason: String| Error::NoSuchRevision { path: factory.path.clone(), reason };
    let module = match number {
        Some(number) => {
            factory.history.iter().find(|revision| revision.number == number).and_then(|found| found.module)
        }
        None => before(factory, factory.revision, module_of(factory)),
    };
    module.ok_or_else(|| match number {
        Some(number) => missing(format!("has no module at revision {number}")),
        None => missing("never had another module".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use steward_model::Timestamp;
    use steward_protocol::cluster::registry::{Authorship, Mounted, Overrides, Revision, Service};

    use super::*;

    fn factory(modules: &[Option<&str>]) -> Factory {
        let digest = |name: &str| Digest::of(name.as_bytes());
        let authorship = || Authorship { by: String::new(), at: Timestamp(1), message: String::new() };
        let revision = |(number, module): (u64, &Option<&str>)| Revision {
            number,
            module: module.map(digest),
            previous: None,
            authorship: authorship(),
        };
        let now = modules.last().copied().flatten().map(digest);
        Factory {
            path: Link::parse("/core/counters").expect("a valid link"),
            revision: modules.len() as u64,
            mounted: now.map(|module| Mounted { module, service: Service::Stateless, overrides: Overrides::default() }),
            history: (1..).zip(modules).map(revision).collect(),
        }
    }

    #[test]
    fn what_was_asked_for_already_is_there() {
        let counters = factory(&[Some("a"), Some("b")]);
        let made = |name: &str, seen| made_already(&counters, Some(Digest::of(name.as_bytes())), seen);
        assert_eq!([made("b", None), made("b", Some(2)), made("b", Some(1))], [Some(2); 3]);
        assert_eq!([made("b", Some(0)), made("b", Some(u64::MAX)), made("a", None), made("a", Some(1))], [None; 4]);
        let unmounted = factory(&[Some("a"), None]);
        assert_eq!(made_already(&unmounted, Some(Digest::of(b"a")), None), None, "it was unmounted");
        let made = |seen| made_already(&unmounted, None, seen);
        assert_eq!([made(None), made(Some(2)), made(Some(1)), made(Some(0))], [Some(2), Some(2), Some(2), None]);
        assert_eq!(made_already(&counters, None, None), None);
    }

    #[test]
    fn a_rollback_that_names_what_it_was_decided_on_is_made_once() {
        let counters = factory(&[Some("a"), Some("b"), Some("a")]);
        let made = |seen| rolled_back_already(&counters, seen);
        assert_eq!([made(Some(2)), made(Some(3)), made(Some(1)), made(None)], [true, false, false, false]);
        // Whatever came after the revision that was seen was no rollback of it.
        let moved = factory(&[Some("a"), Some("b"), Some("c")]);
        assert!(!rolled_back_already(&moved, Some(2)));
        assert!(!rolled_back_already(&factory(&[Some("a"), None]), Some(1)), "it was unmounted");
        assert!(!rolled_back_already(&moved, Some(u64::MAX)));
    }

    #[test]
    fn rollback_goes_to_the_newest_other_module() {
        let counters = factory(&[Some("a"), Some("b"), None, Some("c"), Some("c")]);
        assert_eq!(earlier_module(&counters, None).expect("there is one"), Digest::of(b"b"));
        assert_eq!(earlier_module(&counters, Some(1)).expect("there is one"), Digest::of(b"a"));
        for number in [3, 9] {
            assert!(matches!(earlier_module(&counters, Some(number)), Err(Error::NoSuchRevision { .. })), "{number}");
        }
        assert!(earlier_module(&factory(&[Some("a")]), None).is_err());
    }
}

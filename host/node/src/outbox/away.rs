//! Factories that are undeployed, and the effects that wait for them.

use steward_model::update::PendingEffect;
use steward_model::{Link, Timestamp};
use steward_protocol::cluster::ClusterState;

use crate::service::ServiceTable;

/// Returns the undeployed factory that an effect waits for: that of its target, or of the document that wants the answer; none if
/// nothing of the kind holds it up.
pub(crate) fn awaited(state: &ClusterState, pending: &PendingEffect) -> Option<Link> {
    let mut concerned = concerned(pending);
    concerned.find_map(|link| state.registry().unmounted_of(&link)).map(|factory| factory.path.clone())
}

/// Returns true if a factory that an effect needs is deployed, and this node has not noticed yet: whoever answers around its path would be
/// asked in its place.
pub(super) fn is_on_its_way(state: &ClusterState, services: &ServiceTable, pending: &PendingEffect) -> bool {
    concerned(pending).any(|link| {
        let factory = state.factory_of(&link).map(|(factory, _)| &factory.path);
        factory.is_some_and(|path| services.at(path).is_none() && services.absent(path).is_none())
    })
}

/// Returns when the last of the factories came back that an effect needs; none if none was ever away.
pub(super) fn back_at(state: &ClusterState, pending: &PendingEffect) -> Option<Timestamp> {
    concerned(pending).filter_map(|link| state.factory_of(&link)?.0.back_at()).max()
}

/// Returns what an effect needs: its target, if it lies here, and its own document, if that wants the answer.
fn concerned(pending: &PendingEffect) -> impl Iterator<Item = Link> {
    let (effect, own) = (&pending.effect, &pending.key.link);
    let path = effect.to.split_once('?').map_or(effect.to.as_str(), |(path, _)| path);
    // The host's own paths lie below no factory, and what lies outside is no link.
    let target = Link::parse(path).ok();
    target.into_iter().chain((!effect.reply_tag.is_empty()).then(|| own.clone()))
}

//! Has the system group decide a change of a factory, while nobody can write there.
//!
//! The door of the factory is closed first; then the stored states are checked, and then the command is proposed. So
//! the check sees every record that was written before, and a later writer sees the new revision. See `service::Doors`.

use std::sync::Arc;
use std::time::Duration;

use steward_model::Link;
use steward_model::service::Descriptor;
use steward_protocol::cluster::Command;
use steward_protocol::cluster::command::Applied;

use super::deployments::Deployments;
use super::error::Error;
use crate::cluster::ProposeError;
use crate::service::Closed;

/// Pause before a command whose outcome is unknown is proposed again.
const AGAIN: Duration = Duration::from_secs(1);

/// Proposes `command`, which was decided on revision `decided_on` of the factory at `path`, if the module with this descriptor
/// reads everything that is stored there by then; none: no module is to answer. Goes on when the client hangs up.
///
/// # Errors
/// [`Error::Breaking`], those of the state store, or what the system group says.
pub(super) async fn decide(
    deployments: &Arc<Deployments>,
    path: &Link,
    decided_on: u64,
    descriptor: Option<Descriptor>,
    command: Command,
) -> Result<Applied, Error> {
    let (own, path) = (Arc::clone(deployments), path.clone());
    let deciding = async move { with_door_closed(&own, &path, decided_on, descriptor, command).await };
    deployments.shutdown.run(deciding).await.map_err(|_| Error::Broken)?
}

async fn with_door_closed(
    deployments: &Arc<Deployments>,
    path: &Link,
    decided_on: u64,
    descriptor: Option<Descriptor>,
    command: Command,
) -> Result<Applied, Error> {
    let doors = deployments.operations.services().doors();
    let closed = doors.close(path, decided_on).await;
    let checked = match &descriptor {
        Some(descriptor) => deployments.check_readable(path, descriptor).await,
        None => Ok(()),
    };
    if let Err(refusal) = checked {
        reopen(deployments, path, closed);
        return Err(refusal);
    }
    match deployments.control.propose(command.clone()).await {
        // If the table of services does not show it yet, the door opens when it does.
        Ok(applied) => {
            reopen(deployments, path, closed);
            Ok(applied)
        }
        Err(unknown @ ProposeError::NoMajority) => {
            let (own, path, shutdown) = (Arc::clone(deployments), path.clone(), deployments.shutdown.clone());
            shutdown.clone().spawn("undecided", async move {
                tokio::select! {
                    () = shutdown.stopping() => {}
                    may_be_applied = until_decided(&own, command) => if !may_be_applied {
                        reopen(&own, &path, closed);
                    },
                }
            });
            Err(unknown.into())
        }
        // Without a system group no module will ever answer here again, until the node starts anew.
        Err(ended @ ProposeError::Closed) => Err(ended.into()),
        Err(refused @ (ProposeError::Refused(_) | ProposeError::TooLarge { .. } | ProposeError::NoLeader)) => {
            reopen(deployments, path, closed);
            Err(refused.into())
        }
    }
}

/// Opens the door after a decision, or where none was made. If there is one that the table of services does not show yet, the door
/// opens when it does.
fn reopen(deployments: &Deployments, path: &Link, closed: Arc<Closed>) {
    let decided = deployments.control.state().factory(path).map_or(0, |factory| factory.revision);
    let services = deployments.operations.services();
    if services.at(path).is_none_or(|service| service.revision >= decided) {
        services.doors().open(closed);
    }
}

/// Proposes a command again that may have been applied, or may still be, until it is known that it was; returns false if it
/// never will be any more. A command names the revision that it was decided on, so it is applied once at the most.
async fn until_decided(deployments: &Arc<Deployments>, command: Command) -> bool {
    loop {
        tokio::time::sleep(AGAIN).await;
        match deployments.control.propose(command.clone()).await {
            Ok(_) => return true,
            // An earlier proposal has been applied, or another command in its place.
            Err(ProposeError::Refused(_) | ProposeError::TooLarge { .. }) => return false,
            // A command of another node may come later than this answer; the door stays closed until it shows.
            Err(ProposeError::Closed) => return true,
            Err(ProposeError::NoMajority | ProposeError::NoLeader) => {}
        }
    }
}

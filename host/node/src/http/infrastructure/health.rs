//! `/health/live`, `/health/ready`, `/health/startup`: for load balancers, process supervisors and people.
//!
//! *Live* means that the process answers, whatever else is missing: to restart a node because its group has no quorum
//! makes things worse. *Ready* means that requests may be sent here. `?verbose` lists the checks, in bad health and in
//! good.

use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::{Value, json};
use steward_model::Lane;
use steward_protocol::cluster::group::NodeStatus;
use steward_protocol::replica::NotAdmitted;

use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;

/// Committed updates of one partition that may wait for the state store while the node is ready. Listings and queries wait for
/// them too, and with that many they do not wait long enough.
const BEHIND_MAX: usize = 20_000;

struct Check {
    name: &'static str,
    problem: Option<String>,
    /// A node that fails it is not ready; the others are only told.
    counts: bool,
}

/// Answers while the process works.
pub(super) fn live() -> Answer {
    encode::json(StatusCode::OK, &json!({"status": "live"}))
}

/// Tells whether requests may be sent here.
///
/// # Errors
/// [`Error::Unready`] if not.
pub(super) fn ready(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    report("ready", &checks(http), decode::is_set(asked.query(), "verbose")?)
}

/// Tells whether the node has recovered since its start; once it has, the answer stays.
///
/// # Errors
/// [`Error::Unready`] if not, with the number of partitions that serve.
pub(super) fn startup(http: &Http, asked: &HostRequest) -> Result<Answer, Error> {
    let check = if http.recovered.load(Ordering::Relaxed) {
        Check { name: "partitions", problem: None, counts: true }
    } else {
        partitions(http)
    };
    report("started", &[check], decode::is_set(asked.query(), "verbose")?)
}

fn report(status: &str, checks: &[Check], verbose: bool) -> Result<Answer, Error> {
    let listed: Vec<Value> = checks
        .iter()
        .map(|check| json!({"name": check.name, "ok": check.problem.is_none(), "detail": check.problem}))
        .collect();
    let failed = |check: &&Check| check.counts && check.problem.is_some();
    if let Some(check) = checks.iter().find(failed) {
        let reason = format!("{}: {}", check.name, check.problem.as_deref().unwrap_or_default());
        return Err(Error::Unready { reason, checks: verbose.then_some(listed) });
    }
    let mut body = json!({"status": status});
    if verbose {
        body["checks"] = listed.into();
    }
    Ok(encode::json(StatusCode::OK, &body))
}

fn checks(http: &Http) -> Vec<Check> {
    let stopping = http.parts.shutdown.is_draining().then(|| "the node is stopping".to_owned());
    vec![
        Check { name: "stopping", problem: stopping, counts: true },
        group(http),
        system_group(http),
        partitions(http),
        store(http),
        services(http),
        Check {
            name: "disk",
            problem: http.operations().partitions().shared().space.check().err(),
            // Reads go on while the disk is full.
            counts: false,
        },
    ]
}

fn group(http: &Http) -> Check {
    let state = http.parts.control.state();
    let problem = match state.node(http.parts.node) {
        None => Some("this node is not registered".to_owned()),
        Some(node) if node.status == NodeStatus::Available => None,
        Some(node) => Some(format!("this node is {}", node.status)),
    };
    Check { name: "group", problem, counts: true }
}

/// Tells what is wrong in the group. Documents are served all the same, so that nothing of it counts; but where a majority is away
/// and with it what confirms reads and holds updates, requests are better sent to nodes that have one.
fn system_group(http: &Http) -> Check {
    let (standing, state) = (http.parts.view.standing(), http.parts.control.state());
    let problems = standing.problems(&state);
    let counts = standing.stranded(&state) > 0;
    Check { name: "system group", problem: (!problems.is_empty()).then(|| problems.join("; ")), counts }
}

fn partitions(http: &Http) -> Check {
    let (mut serving, mut all, mut reason) = (0_usize, 0_usize, None);
    for partition in http.operations().partitions().all() {
        match partition.admits() {
            Ok(_) => serving += 1,
            // Another node serves it.
            Err(NotAdmitted::NotPrimary { .. }) => continue,
            Err(why) => reason = Some(why),
        }
        all += 1;
    }
    let problem = reason.map(|why| format!("{serving} of {all} serve: {why}"));
    if problem.is_none() {
        http.recovered.store(true, Ordering::Relaxed);
    }
    Check { name: "partitions", problem, counts: true }
}

/// Looks whether the state store takes what is committed and can be read, whether damage was met in it, and how far it is
/// behind the log.
fn store(http: &Http) -> Check {
    let partitions = http.operations().partitions();
    let persisted = partitions.lane(Lane::Persisted);
    let unreadable = || {
        let store = persisted.first()?.store().store();
        store.view().err().map(|error| error.to_string())
    };
    let behind = || {
        let (records, partition) =
            persisted.iter().map(|partition| (partition.status().unapplied, partition.id())).max()?;
        (records > BEHIND_MAX).then(|| format!("{records} updates of partition {partition} are not applied yet"))
    };
    let refused = partitions.shared().store_problem();
    Check { name: "store", problem: refused.or_else(unreadable).or_else(behind), counts: true }
}

fn services(http: &Http) -> Check {
    let state = http.parts.control.state();
    let table = http.operations().services();
    let served = |path, revision| table.at(path).is_some_and(|service| service.revision == revision);
    let missing: Vec<String> = state
        .registry()
        .factories()
        .filter(|factory| factory.mounted.is_some() && !served(&factory.path, factory.revision))
        .map(|factory| match table.absent(&factory.path) {
            Some(absent) => format!("{} ({})", factory.path, absent.reason),
            None => factory.path.to_string(),
        })
        .collect();
    let problem = (!missing.is_empty()).then(|| format!("not served: {}", missing.join(", ")));
    Check { name: "services", problem, counts: true }
}

//! `/core/management`: the host itself. `/core/management/synch`: whether its factories are served.
//!
//! Departure from Xenon: environment and system properties are not shown. There, everybody can read them.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shapes::{body, is_kind, other_kind, with_built_in};
use crate::clock::MoveError;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Show,
    Command,
    Stop,
}

const METHODS: Methods<Act> = Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("DELETE", Act::Stop)]);

/// The same of a host whose clock may be moved.
const METHODS_VIRTUAL: Methods<Act> =
    Methods(&[("GET", Act::Show), ("HEAD", Act::Show), ("PATCH", Act::Command), ("DELETE", Act::Stop)]);

/// Returns the methods that there are.
pub(super) fn methods(http: &Http) -> Methods<Act> {
    if http.operations().clock().is_virtual() { METHODS_VIRTUAL } else { METHODS }
}

/// Returns what to say to somebody whose method is not there, if there is more to say.
pub(super) fn hint(method: &Method) -> Option<String> {
    (method == Method::PATCH).then(|| MoveError::Fixed.to_string())
}

const KIND: &str = "com:vmware:xenon:common:ServiceHost:ServiceHostState";

/// The request that moves the clock of a host on which somebody tries a service out.
const ADVANCE_CLOCK: &str = "AdvanceClockRequest";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    kind: Option<String>,
    #[serde(default)]
    advance_micros: u64,
}

/// Shows the state of the host, moves its clock, or stops it.
///
/// # Errors
/// [`Error::Field`] for a PATCH of an unknown kind, [`Error::Method`] for each on a host whose clock is not virtual.
pub(super) async fn answer(http: &Http, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&methods(http))? {
        Act::Show => Ok(encode::json(StatusCode::OK, &state(http))),
        Act::Stop => {
            tracing::info!("stop requested by a client");
            http.parts.shutdown.drain();
            Ok(encode::empty(StatusCode::ACCEPTED))
        }
        Act::Command => {
            let request: Request = body(http, asked).await?;
            if is_kind(request.kind.as_deref(), ADVANCE_CLOCK) {
                return advance_clock(http, Duration::from_micros(request.advance_micros));
            }
            let offered = format!("{ADVANCE_CLOCK}; GET shows the state, DELETE stops the host");
            Err(other_kind(request.kind.as_deref(), &offered))
        }
    }
}

fn advance_clock(http: &Http, by: Duration) -> Result<Answer, Error> {
    let moved = http.operations().clock().advance(by);
    let refused = |error: MoveError| Error::Field {
        pointer: "/advanceMicros".to_owned(),
        reason: format!("is refused: {error}"),
    };
    let now = moved.map_err(refused)?;
    tracing::info!(seconds = by.as_secs(), "the clock was moved ahead");
    Ok(encode::json(StatusCode::OK, &json!({ "timeMicros": now.0 })))
}

fn state(http: &Http) -> Value {
    let operations = http.operations();
    let cluster = http.parts.control.state();
    let location = cluster.node(http.parts.node).map(|node| node.location.clone()).unwrap_or_default();
    let clock = operations.clock();
    let intervals =
        operations.services().all().into_iter().map(|service| service.descriptor().maintenance_interval_micros);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let document = json!({
        "bindAddress": http.parts.names.address.ip().to_string(),
        "httpPort": http.parts.names.address.port(),
        "httpsPort": -1,
        "publicUri": http.parts.names.public_uri,
        "id": http.owner_name(),
        "nodeId": http.parts.node.0,
        "location": location,
        "version": env!("CARGO_PKG_VERSION"),
        "startTimeMicros": clock.began().0,
        "upTimeMicros": clock.steady_time().0 - clock.began().0,
        "processId": std::process::id(),
        "maintenanceIntervalMicros": intervals.filter(|interval| *interval > 0).min().unwrap_or(0),
        "operationTimeoutMicros": u64::try_from(operations.limits().wait.as_micros()).unwrap_or(u64::MAX),
        "requestPayloadSizeLimit": http.parts.bounds.request_bytes_max,
        "isAuthorizationEnabled": false,
        "isPeerSynchronizationEnabled": true,
        "serviceCount": operations.services().all().len(),
        "clusterId": format!("{:032x}", cluster.group_id().0),
        "systemInfo": {
            "availableProcessorCount": processors,
            "osName": std::env::consts::OS,
            "osFamily": std::env::consts::OS.to_ascii_uppercase(),
            "architecture": std::env::consts::ARCH,
        },
    });
    with_built_in(http, document, "/core/management", KIND)
}

/// Shows which factories are served here.
pub(super) fn synchronization(http: &Http) -> Answer {
    let mut factories = Map::new();
    for service in http.operations().services().all() {
        let problem = http.problem_of(&service);
        let status = if problem.is_none() { "AVAILABLE" } else { "SYNCHRONIZING" };
        let told = json!({"status": status, "owner": http.owner_name(), "reason": problem});
        factories.insert(service.path.to_string(), told);
    }
    let document = json!({"factoryStatus": factories});
    let kind = "com:vmware:xenon:services:common:SynchronizationManagementState";
    encode::json(StatusCode::OK, &with_built_in(http, document, "/core/management/synch", kind))
}

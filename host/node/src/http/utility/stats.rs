//! `/stats`: the statistics of a service or document since this node started.

use http::StatusCode;
use serde_json::{Map, Value, json};
use steward_model::Link;

use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::service::{Found, Measure};

const KIND: &str = "com:vmware:xenon:common:ServiceStats";
const ENTRY_KIND: &str = "com:vmware:xenon:common:ServiceStats:ServiceStat";

/// Shows the statistics of what is at `link`.
///
/// # Errors
/// [`Error::Storage`] if it cannot be read whether the service is available.
pub(super) fn answer(http: &Http, link: &Link, found: &Found) -> Result<Answer, Error> {
    let (measures, available) = match found {
        Found::Factory(service) | Found::Stateless(service) => {
            (service.stats.all(), Some(http.problem_of(service).is_none()))
        }
        Found::Child(service) => (service.stats.documents.of(link), None),
    };
    let mut entries: Map<String, Value> =
        measures.iter().map(|(name, measure)| (name.clone(), entry(name, measure))).collect();
    if let Some(available) = available {
        let value = f64::from(u8::from(available));
        entries.insert("isAvailable".to_owned(), plain("isAvailable", value));
    }
    let stats = json!({
        "kind": KIND,
        "entries": entries,
        "documentVersion": 0,
        "documentKind": KIND,
        "documentSelfLink": format!("{link}/stats"),
        "documentUpdateTimeMicros": 0,
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    });
    Ok(encode::json(StatusCode::OK, &stats))
}

fn entry(name: &str, measure: &Measure) -> Value {
    let mut entry = json!({
        "name": name,
        "latestValue": measure.latest,
        "accumulatedValue": measure.accumulated,
        "version": measure.count,
        "lastUpdateMicrosUtc": measure.updated.0,
        "kind": ENTRY_KIND,
    });
    if let Some(bins) = &measure.bins {
        entry["logHistogram"] = json!({"bins": bins});
    }
    entry
}

fn plain(name: &str, value: f64) -> Value {
    json!({"name": name, "latestValue": value, "accumulatedValue": value, "version": 1, "kind": ENTRY_KIND})
}

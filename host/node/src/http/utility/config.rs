//! `/config`: the settings of a service. They come from the module's descriptor; to change them, deploy.

use http::StatusCode;
use serde_json::json;

use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::service::Found;

const KIND: &str = "com:vmware:xenon:common:ServiceConfiguration";

/// Shows the configuration of a service; for a factory with the options of its children.
///
/// # Errors
/// None: the signature is that of its siblings.
pub(super) fn answer(http: &Http, found: &Found) -> Result<Answer, Error> {
    let (Found::Factory(service) | Found::Child(service) | Found::Stateless(service)) = found;
    let descriptor = service.descriptor();
    let retention = descriptor.versions_kept();
    let mut config = json!({
        "maintenanceIntervalMicros": descriptor.maintenance_interval_micros,
        "operationQueueLimit": http.operations().partitions().shared().options.queue_limit,
        "epoch": 0,
        "version": 0,
        "versionRetentionLimit": retention,
        "versionRetentionFloor": retention,
        "peerNodeSelectorPath": "/core/node-selectors/default",
        "documentIndexPath": "/core/document-index",
        "options": descriptor.options,
        "stateVersion": descriptor.state_version,
        "index": descriptor.index,
        "moduleDigest": service.module.digest(),
        "moduleVersion": descriptor.version,
        "revision": service.revision,
        "guestDeadlineMillis": u64::try_from(service.module.deadline().as_millis()).unwrap_or(u64::MAX),
        "documentBytesMax": service.module.document_bytes_max(),
        "documentVersion": 0,
        "documentKind": KIND,
        "documentUpdateTimeMicros": 0,
        "documentExpirationTimeMicros": 0,
        "documentOwner": http.owner_name(),
    });
    if let Found::Factory(_) = found {
        config["childOptions"] = config["options"].take();
        config["options"] = json!(["FACTORY"]);
    }
    Ok(encode::json(StatusCode::OK, &config))
}

//! What pages of other web origins may ask of this node.

use std::time::Duration;

use http::header::{ALLOW, ETAG, HeaderName, LOCATION};
use http::{HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::headers;

/// How long a browser may remember what foreign origins may do.
const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// Returns the rules for pages of other web origins; none: they may not call.
pub(super) fn rules(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let listed = || origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let allowed =
        if origins.iter().any(|origin| origin == "*") { AllowOrigin::any() } else { AllowOrigin::list(listed()) };
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let own = [
        &headers::REPLAYED,
        &headers::PREFERENCE_APPLIED,
        &headers::OWNER,
        &headers::EPOCH,
        &headers::REQUEST_ID,
        &headers::POSITION,
        &headers::COPY,
    ];
    // Those that services set and HTTP knows are for whoever asks, too. What they call `x-…` is not known here.
    let of_guests = headers::FOR_GUESTS.map(HeaderName::from_static);
    let exposed: Vec<_> = [ALLOW, ETAG, LOCATION].into_iter().chain(own.map(Clone::clone)).chain(of_guests).collect();
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(exposed)
            .max_age(CORS_MAX_AGE),
    )
}

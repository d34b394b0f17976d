//! Filters and listings: any text is refused with a reason, or is a condition that means the same when it is printed and read
//! again, that holds or does not for any document, and whose opposite holds where it does not.

use steward_model::Link;
use steward_query::condition::Condition;
use steward_query::evaluate::View;
use steward_query::filter::{self, DEPTH_MAX, FILTER_BYTES_MAX};
use steward_query::plan::Plan;
use steward_query::{Listing, Request};

use crate::documents;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    listing(text);
    let listed = listing(&format!("$filter={}", percent_encoded(text)));
    match filter::parse(text) {
        Ok(condition) => {
            assert_eq!(listed.map(|request| request.condition).as_ref(), Some(&condition), "{text:?}");
            means_the_same(&condition);
            evaluated(&condition);
        }
        Err(error) => assert!(listed.is_none() && !error.to_string().is_empty(), "{text:?}"),
    }
}

/// Reads the query part of a listing, and returns what it asks if it may be asked.
fn listing(query: &str) -> Option<Request> {
    let factory = Link::parse("/core/examples").expect("a link");
    match Listing::parse(factory, query) {
        Ok(listing) => {
            // A plan is made for every request; it must exist.
            let plan = Plan::of(listing.request());
            assert!(plan.below.is_some(), "{query:?} asks for a factory's children");
            Some(listing.request().clone())
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn means_the_same(condition: &Condition) {
    let printed = condition.to_string();
    // Negations are printed with parentheses of their own, so a condition at the limits may be printed beyond them.
    if printed.len() <= FILTER_BYTES_MAX && printed.matches('(').count() < DEPTH_MAX / 2 {
        let read = filter::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(&read, condition, "printed as {printed}");
    }
}

fn evaluated(condition: &Condition) {
    let opposite = Condition::negate(condition.clone());
    for document in documents::all() {
        let view = View::new(&document, "host");
        assert_ne!(view.satisfies(condition), view.satisfies(&opposite), "{condition} of {:?}", document.body);
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

//! From a core module to a component: the types of our interface, which tools of other languages do not know, are added here.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::embedded;

/// The world of a service, in `wit/`.
const WORLD: &str = "service-guest";

/// Says in a core module what its functions mean, so that a host makes a component of it.
///
/// # Errors
/// A sentence, if the module cannot be read.
pub(super) fn describe(module: &mut Vec<u8>) -> Result<(), String> {
    let told = |error: anyhow::Error| format!("{error:#}");
    let mut resolve = Resolve::default();
    let mut whole = String::new();
    for (_, text) in embedded::WIT {
        // The package is named in one file and holds for all of them.
        if text.starts_with("package") { whole.insert_str(0, text) } else { whole.push_str(text) }
    }
    let package = resolve.push_str("service.wit", &whole).map_err(told)?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(told)?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).map_err(told)
}

//! The REST contract: what clients see of one node, through the real binary and real sockets.

mod author;
mod bad_input;
mod clocks;
mod connections;
mod deploying;
mod documents;
mod duties;
mod fairness;
mod following;
mod infrastructure;
mod lanes;
mod listing;
mod modules;
mod native;
mod outcomes;
mod outside;
mod queries;
mod readme;
mod refusals;
mod repeats;
mod stateless;
mod stopping;
mod tasks;
mod unread_bodies;
mod utility;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;

/// Flags of a host whose guests may take their time, on a machine that is busy with other tests.
const PATIENT: [&str; 2] = ["--guest-deadline", "30s"];

/// Returns a running host with these guests mounted at their default paths.
async fn host_with(names: &[&str]) -> Host {
    host_with_flags(names, &[]).await
}

/// Returns a running host with further flags.
async fn host_with_flags(names: &[&str], flags: &[&str]) -> Host {
    let components = components(names).await;
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let started = tokio::task::spawn_blocking(move || {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Host::start(&flags)
    });
    let host = started.await.expect("the start does not panic").expect("the host starts");
    for component in components {
        host.client().deploy(&component, None).await;
    }
    host
}

/// Returns the component of a guest.
async fn component(name: &str) -> Vec<u8> {
    components(&[name]).await.remove(0)
}

/// Returns the components of guests. Each is built once in this process, whichever test asks first.
async fn components(names: &[&str]) -> Vec<Vec<u8>> {
    static BUILT: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let built = tokio::task::spawn_blocking(move || {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<&str> = names.iter().map(String::as_str).filter(|name| !built.contains_key(*name)).collect();
        if !missing.is_empty() {
            for guest in guests::build(&missing, &Progress::hidden())? {
                built.insert(guest.name.to_owned(), std::fs::read(&guest.path)?);
            }
        }
        anyhow::Ok(names.iter().filter_map(|name| built.get(name).cloned()).collect())
    });
    built.await.expect("the build does not panic").expect("the guests build")
}

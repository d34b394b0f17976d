//! The REST contract: what clients see of one node, through the real binary and real sockets.

mod author;
mod bad_input;
mod bounds;
mod clocks;
mod coding;
mod commands;
mod components;
mod connections;
mod copies;
mod deploying;
mod documents;
mod duties;
mod examples;
mod fairness;
mod following;
mod infrastructure;
mod judges;
mod lanes;
mod languages;
mod listing;
mod migrating;
mod modules;
mod native;
mod newcomers;
mod openapi;
mod outcomes;
mod outside;
mod own_bodies;
mod paths;
mod queries;
mod readable;
mod readme;
mod refusals;
mod repeats;
mod replacing;
mod replays;
mod stateless;
mod stopping;
mod strangers;
mod strictness;
mod tasks;
mod terminal;
mod unread_bodies;
mod utility;
mod waiting;

use steward_tests::guests::{self, Built, Progress};
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

/// Returns the components of guests.
async fn components(names: &[&str]) -> Vec<Vec<u8>> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let built = tokio::task::spawn_blocking(move || {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names.is_empty() {
            // For the builder no name means all guests.
            true => Ok(Vec::new()),
            false => read(&guests::build(&names, &Progress::hidden())?),
        }
    });
    built.await.expect("the build does not panic").expect("the guests build")
}

fn read(guests: &[Built]) -> anyhow::Result<Vec<Vec<u8>>> {
    guests.iter().map(|guest| Ok(std::fs::read(&guest.path)?)).collect()
}

/// Returns the component `misbehave` with other things in its descriptor. They take the place of the old ones in the file, so they
/// cannot have more bytes together.
async fn misbehave_with(changes: &serde_json::Value) -> Vec<u8> {
    let mut component = component("misbehave").await;
    let place = |wanted: &[u8]| component.windows(wanted.len()).position(|window| window == wanted);
    let begin = place(b"{\n    \"name\": \"misbehave\"").expect("a descriptor begins");
    let end = begin + component[begin..].windows(4).position(|window| window == b"\"]\n}").expect("it ends") + 4;
    let mut descriptor: serde_json::Value = serde_json::from_slice(&component[begin..end]).expect("a descriptor");
    for (field, value) in changes.as_object().expect("fields") {
        match value.is_null() {
            true => drop(descriptor.as_object_mut().expect("fields").remove(field)),
            false => descriptor[field] = value.clone(),
        }
    }
    let mut text = descriptor.to_string().into_bytes();
    assert!(text.len() <= end - begin, "the descriptor has no room for {changes}");
    text.resize(end - begin, b' ');
    component[begin..end].copy_from_slice(&text);
    component
}

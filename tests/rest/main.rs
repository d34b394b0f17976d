//! What clients see of one node: the REST contract, through the real binary and real sockets.

mod bad_input;
mod deploying;
mod documents;
mod duties;
mod infrastructure;
mod listing;
mod queries;
mod repeats;
mod tasks;
mod utility;

use steward_tests::guests;
use steward_tests::host::Host;

/// Returns a running host with these guests mounted at their default paths.
async fn host_with(names: &[&str]) -> Host {
    host_with_flags(names, &[]).await
}

/// Returns a running host with further flags.
async fn host_with_flags(names: &[&str], flags: &[&str]) -> Host {
    let (names, flags): (Vec<String>, Vec<String>) = (owned(names), owned(flags));
    let started = tokio::task::spawn_blocking(move || {
        let built = guests::build(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let host = Host::start(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
        anyhow::Ok((built, host))
    });
    let (built, host) = started.await.expect("the start does not panic").expect("the host starts");
    for guest in built {
        let component = std::fs::read(&guest.path).expect("a built guest can be read");
        host.client().deploy(&component, None).await;
    }
    host
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

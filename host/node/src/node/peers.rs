//! The port for peers: where it is, and what those who connect have to know.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;

use crate::cluster::Peers;
use crate::config::Options;
use crate::http::Waiting;
use crate::peer::Secret;

/// Returns how the node, whose API is at `port`, talks to others; none if nobody asked for that.
///
/// # Errors
/// If the port is taken, or the secret cannot be read.
pub(super) async fn listen(
    options: &Options,
    public_uri: &str,
    port: u16,
    waiting: &Waiting,
) -> anyhow::Result<Option<Peers>> {
    let Some(at) = options.peers.at(options.bind_address, public_uri, port) else { return Ok(None) };
    let at = at.map_err(|reason| anyhow!(reason)).context("tell peers where this node is")?;
    let secret = match &options.peers.secret_file {
        Some(path) => Secret::read(path)?,
        None => {
            tracing::warn!("peers need no secret: whoever reaches the port for peers can join the group");
            Secret::none()
        }
    };
    let listener = TcpListener::bind(at.listen).await.with_context(|| format!("listen to peers on {}", at.listen))?;
    tracing::info!(listen = %at.listen, address = %at.address, "listening to peers");
    let waiting = waiting.clone();
    let waits = Arc::new(move |words| waiting.says(words));
    Ok(Some(Peers { listener, address: at.address, list: at.list, secret, waits }))
}

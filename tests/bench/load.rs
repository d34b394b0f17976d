//! A load generator that costs little: prepared requests over kept connections, answers read only as far as their length.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a run reached.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Time to an answer, at the median and at 99 of 100.
    pub(crate) median: Duration,
    /// See `median`.
    pub(crate) p99: Duration,
}

/// Asks for `span` over `connections` connections at once; `request` makes the n-th request of a connection.
///
/// # Errors
/// If a connection fails or an answer is no success.
pub(crate) fn run(
    address: SocketAddr,
    connections: usize,
    span: Duration,
    request: impl Fn(usize, usize) -> Vec<u8> + Sync,
) -> anyhow::Result<Reached> {
    // One thread: the host needs the other core.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    let times = runtime.block_on(async {
        let ends = began + span;
        let clients = (0..connections).map(|number| one(address, number, ends, &request));
        futures_util::future::try_join_all(clients).await
    })?;
    let took = began.elapsed();
    let mut times: Vec<Duration> = times.into_iter().flatten().collect();
    ensure!(!times.is_empty(), "no answer came");
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Reached { per_second: times.len() as f64 / took.as_secs_f64(), median: at(0.5), p99: at(0.99) })
}

async fn one(
    address: SocketAddr,
    number: usize,
    ends: Instant,
    request: &(impl Fn(usize, usize) -> Vec<u8> + Sync),
) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8192);
    let mut times = Vec::new();
    for turn in 0.. {
        let began = Instant::now();
        if began >= ends {
            break;
        }
        stream.write_all(&request(number, turn)).await?;
        answer(&mut stream, &mut buffer).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the host closed the connection");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 2"), "answer is no success: {}", String::from_utf8_lossy(buffer));
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let end = head + 4 + length.context("an answer without content-length")?;
        while buffer.len() < end {
            ensure!(stream.read_buf(buffer).await? > 0, "the host closed the connection");
        }
        return Ok(());
    }
}

/// Returns a request with a JSON body.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{content}\r\n{body}").into_bytes()
}

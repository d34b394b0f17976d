//! A load generator that costs little: prepared requests over kept connections, answers read only as far as their length.
//!
//! It runs on one thread, because the host needs the other cores. Requests of a run are numbered across its connections, so
//! that requests at the same time are for different documents.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for an answer; larger ones make the buffer grow.
pub(crate) const ANSWER_BYTES: usize = 8 << 10;

/// What a run reached.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    /// Answers of the run.
    pub(crate) answers: u64,
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Time to an answer, at the median, at 99 of 100 and at 999 of 1,000.
    pub(crate) median: Duration,
    /// See `median`.
    pub(crate) p99: Duration,
    /// See `median`.
    pub(crate) p999: Duration,
}

impl Reached {
    /// Returns what a run reached whose answers took these `times`, and which `took` so long itself.
    ///
    /// # Errors
    /// If there was no answer.
    pub(crate) fn of(mut times: Vec<Duration>, took: Duration) -> anyhow::Result<Reached> {
        ensure!(!times.is_empty(), "no answer came");
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let per_second = times.len() as f64 / took.as_secs_f64();
        Ok(Reached { answers: times.len() as u64, per_second, median: at(0.5), p99: at(0.99), p999: at(0.999) })
    }
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Span(Duration),
    /// After this many answers.
    Answers(u64),
}

/// Whom to ask for what.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    /// The server.
    pub(crate) address: SocketAddr,
    /// How many requests are under way at once, each on a connection of its own.
    pub(crate) connections: usize,
    /// Appends the n-th request of the run to a buffer.
    pub(crate) request: &'a dyn Fn(u64, &mut Vec<u8>),
}

/// What the connections of a run share.
struct Run<'a> {
    load: Load<'a>,
    until: Until,
    began: Instant,
    next: Cell<u64>,
}

impl Load<'_> {
    /// Asks.
    ///
    /// # Errors
    /// If a connection fails or an answer is no success.
    pub(crate) fn run(self, until: Until) -> anyhow::Result<Reached> {
        self.run_over(&[self.address], until)
    }

    /// Asks several servers, with the connections spread over them.
    ///
    /// # Errors
    /// As [`Load::run`].
    ///
    /// # Panics
    /// If there is no server.
    pub(crate) fn run_over(self, servers: &[SocketAddr], until: Until) -> anyhow::Result<Reached> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (times, took) = runtime.block_on(async {
            let streams =
                try_join_all((0..self.connections).map(|number| connect(servers[number % servers.len()]))).await?;
            let run = Run { load: self, until, began: Instant::now(), next: Cell::new(0) };
            let times = try_join_all(streams.into_iter().map(|stream| run.one(stream))).await?;
            anyhow::Ok((times, run.began.elapsed()))
        })?;
        Reached::of(times.into_iter().flatten().collect(), took)
    }
}

/// Returns a connection to a server.
///
/// # Errors
/// Those of the system.
pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Run<'_> {
    /// Asks on one connection until the run ends, and returns how long the answers took.
    async fn one(&self, mut stream: TcpStream) -> anyhow::Result<Vec<Duration>> {
        let (mut request, mut answer) = (Vec::new(), Vec::with_capacity(ANSWER_BYTES));
        let mut times = Vec::new();
        loop {
            let number = self.next.get();
            let began = Instant::now();
            let ended = match self.until {
                Until::Span(span) => began.duration_since(self.began) >= span,
                Until::Answers(answers) => number >= answers,
            };
            if ended {
                return Ok(times);
            }
            self.next.set(number + 1);
            request.clear();
            (self.load.request)(number, &mut request);
            stream.write_all(&request).await?;
            receive(&mut stream, &mut answer).await?;
            times.push(began.elapsed());
        }
    }
}

/// Reads one answer into `buffer`.
///
/// # Errors
/// If the connection ends, or the answer is no success.
pub(crate) async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 2"), "answer is no success: {}", String::from_utf8_lossy(buffer));
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let end = head + 4 + length.context("an answer without content-length")?;
        while buffer.len() < end {
            ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
        }
        return Ok(());
    }
}

/// Returns a request; with a body, if that is not empty, in JSON.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{content}\r\n{body}").into_bytes()
}

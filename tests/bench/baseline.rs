//! The baseline of everything over HTTP: a bare hyper server that answers a constant, in a process of its own.
//!
//! It is the program of the benchmarks itself, started with a variable that says so, and ends when its standard input does:
//! with whoever started it, however that ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Names the size of the answer to the process that is to be the server.
const VARIABLE: &str = "STEWARD_BENCH_BARE_SERVER";

/// A running bare server; it ends with this value.
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Returns the number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server whose answers have `bytes` bytes.
///
/// # Errors
/// Those of the system.
pub(crate) fn start(bytes: usize) -> anyhow::Result<Bare> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(VARIABLE, bytes.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the bare server")?;
    let mut line = String::new();
    let output = child.stdout.take().context("the bare server has an output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)?;
    Ok(Bare { child, address: line.trim().parse().context("the bare server names its address")? })
}

/// Is the bare server if this process was started as one; returns otherwise.
///
/// # Errors
/// Those of the system.
pub(crate) fn serve_if_asked() -> anyhow::Result<()> {
    let Ok(bytes) = std::env::var(VARIABLE) else { return Ok(()) };
    let answer = Bytes::from(vec![b'x'; bytes.parse().with_context(|| format!("read {VARIABLE}"))?]);
    let starter = std::thread::Builder::new().name("starter".into());
    starter.spawn(|| {
        // Nothing comes; the end of it is the news.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer.clone();
                async move {
                    // The body is read, as a server that uses it would.
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(Response::new(Full::new(answer)))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

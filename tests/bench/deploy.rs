//! Deploying a component to a running host: from the upload to the first answer of a document.
//!
//! Each turn has a host of its own on an empty folder, already running, so that nothing is known of the component. For the
//! second row the host finds the compiled code of an earlier one in its code cache, as after a restart or a rollback.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use steward_sandbox::{Config, Sandbox};
use steward_tests::client::Client;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;
use tempfile::TempDir;

use crate::rounds::{ROUNDS, in_turns, median};
use crate::service;
use crate::table::{Row, grouped};
use crate::{Wish, folder};

/// The guest whose size is the nearest to 200 KB, and where it is mounted.
const GUEST: &str = "counter";
const FACTORY: &str = "/core/counters";

const COLD_MAX: Duration = Duration::from_millis(300);
const CACHED_MAX: Duration = Duration::from_millis(50);

/// How long the parts of a deployment took.
#[derive(Debug, Clone, Copy)]
struct Steps {
    upload: Duration,
    mount: Duration,
    first: Duration,
}

impl Steps {
    fn all(&self) -> Duration {
        self.upload + self.mount + self.first
    }
}

/// Deploys and creates the first document.
async fn deploy(client: &Client, component: &[u8]) -> anyhow::Result<Steps> {
    let began = Instant::now();
    let uploaded = client.upload(component).await;
    let upload = began.elapsed();
    ensure!(uploaded.status == 201, "the component is refused: {}", String::from_utf8_lossy(&uploaded.body));
    let mount = json!({ "documentSelfLink": FACTORY, "moduleDigest": uploaded.json()["digest"] });
    let began = Instant::now();
    let mounted = client.post("/core/factories", &mount).await;
    let mount = began.elapsed();
    ensure!(mounted.status == 201, "the factory is refused: {}", String::from_utf8_lossy(&mounted.body));
    let began = Instant::now();
    let created = client.post(FACTORY, &json!({})).await;
    let first = began.elapsed();
    ensure!(created.status == 201, "the document is refused: {}", String::from_utf8_lossy(&created.body));
    Ok(Steps { upload, mount, first })
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Deploys to a fresh host, which gets the compiled code in `cache`, if there is one, before.
fn turn(component: &[u8], cache: Option<&Path>) -> anyhow::Result<(Host, Steps)> {
    let host = Host::start_in(&folder::ground()?, &[])?;
    if let Some(cache) = cache {
        copy(cache, &code_of(&host))?;
    }
    let client = Client::new(host.client().base());
    let steps = service::waited(deploy(&client, component))??;
    Ok((host, steps))
}

fn code_of(host: &Host) -> std::path::PathBuf {
    host.data().join("code")
}

/// Returns how long the sandbox alone takes to make the component ready.
fn prepared(component: &[u8], cache: Option<&Path>) -> anyhow::Result<Duration> {
    let sandbox = Sandbox::new(Config { cache_folder: cache.map(Path::to_owned), ..Config::default() })?;
    let began = Instant::now();
    sandbox.prepare(component)?;
    Ok(began.elapsed())
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn row(how: &str, component: &[u8], turns: &[Steps], alone: &[Duration], wanted: Duration) -> Row {
    let all = median(turns, |steps| millis(steps.all()));
    let (upload, mount) = (median(turns, |steps| millis(steps.upload)), median(turns, |steps| millis(steps.mount)));
    let first = median(turns, |steps| millis(steps.first));
    let alone = median(alone, |span| millis(*span));
    let size = grouped(component.len() as u64);
    Row {
        what: format!(
            "deploy of a component of {size} B to the first answered POST, {how}, one client, fsync of module, system log and document"
        ),
        reached: format!("{all:.0} ms: upload {upload:.0}, mount {mount:.0}, first answer {first:.0}"),
        baseline: format!("{alone:.0} ms, the sandbox alone"),
        ratio: format!("{:.2} ×", all / alone),
        wanted: format!("< {} ms", wanted.as_millis()),
        met: Some(all < millis(wanted)),
        ..Row::default()
    }
}

/// Measures deployments with and without compiled code in the cache.
///
/// # Errors
/// If a host does not start or refuses the component.
pub(crate) fn measure(_wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let built = guests::build(&[GUEST], &Progress::hidden())?;
    let component = std::fs::read(&built.first().context("a guest was built")?.path)?;
    let cache = TempDir::new_in(folder::ground()?)?;
    let (first, _) = turn(&component, None)?;
    copy(&code_of(&first), cache.path())?;
    drop(first);
    let steps = |cache: Option<&Path>| turn(&component, cache).map(|(_, steps)| steps);
    let (cold, cached) = in_turns(ROUNDS, || steps(None), || steps(Some(cache.path())))?;
    let alone = in_turns(ROUNDS, || prepared(&component, None), || prepared(&component, Some(cache.path())))?;
    Ok(vec![
        row("cold", &component, &cold, &alone.0, COLD_MAX),
        row("code cache has it", &component, &cached, &alone.1, CACHED_MAX),
    ])
}

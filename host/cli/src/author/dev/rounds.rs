//! Rounds: from sources that have changed to new code that answers, one project after another.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::Method;
use tokio::time::Instant;

use super::news::{News, Served};
use super::watch::Change;
use crate::author::failure;
use crate::client::{Call, Client};
use crate::deploy;
use crate::error::{Exit, Failure};
use crate::project::{Effort, Made, Project, Tools};

/// How many modules of a project the host keeps: the one that answers, and the one before it.
const MODULES_KEPT: usize = 2;

/// A project that is to be built.
struct Due {
    project: usize,
    /// When it was saved first since its last build.
    since: Instant,
    /// What was saved last.
    changed: Option<String>,
}

/// How a round ended.
pub(super) struct Ended {
    due: Due,
    result: Result<Served, Failure>,
}

/// The rounds of all projects. One runs at a time: they would share the processors anyway.
pub(super) struct Rounds {
    projects: Arc<Vec<Project>>,
    tools: Arc<Tools>,
    client: Arc<Client>,
    due: VecDeque<Due>,
    runs: Option<BoxFuture<'static, Ended>>,
    /// The digests of the modules that the host has got of each project, the newest last.
    modules: Vec<VecDeque<String>>,
}

impl Rounds {
    /// Creates the rounds, with none due.
    pub(super) fn new(projects: Arc<Vec<Project>>, tools: Arc<Tools>, client: Client) -> Rounds {
        let modules = projects.iter().map(|_| VecDeque::new()).collect();
        Rounds { projects, tools, client: Arc::new(client), due: VecDeque::new(), runs: None, modules }
    }

    /// Every project is to be built.
    pub(super) fn all_due(&mut self) {
        for project in 0..self.projects.len() {
            self.push(Due { project, since: Instant::now(), changed: None });
        }
    }

    /// A project is to be built because of a change.
    pub(super) fn due(&mut self, change: Change) {
        let folder = self.projects[change.project].folder();
        let path = change.path.strip_prefix(folder).unwrap_or(&change.path).display().to_string();
        self.push(Due { project: change.project, since: Instant::now(), changed: Some(path) });
    }

    fn push(&mut self, due: Due) {
        match self.due.iter_mut().find(|other| other.project == due.project) {
            // Editors write beside a file first: the last name is the one that people know.
            Some(other) => other.changed = due.changed.or(other.changed.take()),
            None => self.due.push_back(due),
        }
    }

    /// Begins the next round, if none runs and one is due.
    pub(super) fn begin(&mut self, news: &mut News<'_>) {
        if self.runs.is_some() {
            return;
        }
        let Some(due) = self.due.pop_front() else { return };
        let project = self.projects[due.project].clone();
        news.builds(&name(&project), due.changed.as_deref());
        let (tools, client) = (Arc::clone(&self.tools), Arc::clone(&self.client));
        self.runs = Some(Box::pin(async move {
            let result = round(project, tools, &client).await;
            Ended { due, result }
        }));
    }

    /// Returns when the round that runs has ended. Loses nothing if it is dropped.
    pub(super) async fn next(&mut self) -> Ended {
        let Some(runs) = &mut self.runs else { return std::future::pending().await };
        let ended = runs.await;
        self.runs = None;
        ended
    }

    /// Tells how a round ended, and lets the host forget what nobody needs any more.
    pub(super) async fn ended(&mut self, ended: Ended, api: &str, news: &mut News<'_>) {
        let Ended { due, result } = ended;
        let project = name(&self.projects[due.project]);
        let modules = &mut self.modules[due.project];
        let served = match result {
            Ok(served) => served,
            Err(failure) => return news.fails(&project, &failure, !modules.is_empty()),
        };
        news.serves(&project, api, &served, due.since.elapsed());
        modules.retain(|digest| *digest != served.digest);
        modules.push_back(served.digest);
        while modules.len() > MODULES_KEPT {
            let oldest = modules.pop_front().unwrap_or_default();
            if let Ok(call) = Call::new(Method::DELETE, &format!("/core/modules/{oldest}")) {
                // Another factory may run it. Then it stays, and does no harm.
                let _ = self.client.send(&call).await;
            }
        }
    }

    /// Waits until no tool of a round runs; they were told to stop.
    pub(super) async fn finish(self) {
        if let Some(runs) = self.runs {
            runs.await;
        }
    }
}

fn name(project: &Project) -> String {
    project.folder().file_name().unwrap_or_default().to_string_lossy().into_owned()
}

async fn round(project: Project, tools: Arc<Tools>, client: &Client) -> Result<Served, Failure> {
    let build = move || project.make(Effort::Quick, &tools);
    let made = tokio::task::spawn_blocking(build).await;
    let made = made.map_err(|error| Failure::new(Exit::Failed, "failed", format!("a build panicked: {error}")))?;
    let Made { module, said, .. } = made.map_err(|error| failure(&error))?;
    let bytes = module.len();
    let deployed = deploy::at_once(module.into(), client).await?;
    // Whatever the service says to it: an answer is an answer of the new code's.
    client.send(&Call::get(&deployed.factory)).await?;
    let deploy::Deployed { factory, digest, revision, is_new } = deployed;
    Ok(Served { factory, digest, revision, is_new, bytes, said })
}

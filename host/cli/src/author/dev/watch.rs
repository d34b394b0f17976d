//! Watching the sources of projects.
//!
//! What tools write is not watched: below a folder such as `target/` a build changes thousands of files. So the folder of a
//! project itself is watched flat, and each of its folders with sources is watched deep.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{Receiver, channel};

use crate::error::{Exit, Failure};
use crate::project::Project;

/// Changes that wait to be looked at. More than that came at once, and one of them is as good as all.
const CHANGES_MAX: usize = 1024;

/// A changed source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The number of its project.
    pub(super) project: usize,
    /// The file.
    pub(super) path: PathBuf,
}

/// Tells which sources change.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    changes: Receiver<Change>,
    projects: Arc<Vec<Project>>,
}

impl Watch {
    /// Watches the sources of all projects from now on.
    ///
    /// # Errors
    /// A failure if the system does not let more folders be watched.
    pub(super) fn start(projects: &Arc<Vec<Project>>) -> Result<Watch, Failure> {
        let (tells, changes) = channel(CHANGES_MAX);
        let watched = Arc::clone(projects);
        let heard = move |event: notify::Result<Event>| {
            for change in event.iter().flat_map(|event| sources(&watched, event)) {
                // A full queue will be looked at anyway.
                let _ = tells.try_send(change);
            }
        };
        let watcher = notify::recommended_watcher(heard).map_err(|error| refused(&error))?;
        let mut watch = Watch { watcher, changes, projects: Arc::clone(projects) };
        for project in projects.iter() {
            watch.follow(project.folder(), RecursiveMode::NonRecursive)?;
            let entries = std::fs::read_dir(project.folder()).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| entry.path().is_dir() && !project.keeps_out(&entry.file_name())) {
                watch.follow(&entry.path(), RecursiveMode::Recursive)?;
            }
        }
        Ok(watch)
    }

    fn follow(&mut self, folder: &Path, mode: RecursiveMode) -> Result<(), Failure> {
        self.watcher.watch(folder, mode).map_err(|error| refused(&error))
    }

    /// Returns the next change. Loses nothing if it is dropped.
    pub(super) async fn changed(&mut self) -> Change {
        let Some(change) = self.changes.recv().await else {
            // The watcher holds the other end for as long as this value lives.
            return std::future::pending().await;
        };
        let is_top = change.path.parent() == self.projects.get(change.project).map(Project::folder);
        if is_top && change.path.is_dir() {
            // It may be gone again, and a change in a folder that cannot be watched is found by `r`.
            let _ = self.follow(&change.path, RecursiveMode::Recursive);
        }
        change
    }
}

fn sources(projects: &[Project], event: &Event) -> Vec<Change> {
    let is_change = match event.kind {
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any => true,
        EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Access(_) | EventKind::Other => false,
        EventKind::Modify(_) => true,
    };
    let found = |path: &PathBuf| {
        let project = projects.iter().position(|project| project.is_source(path))?;
        Some(Change { project, path: path.clone() })
    };
    if is_change { event.paths.iter().filter_map(found).collect() } else { Vec::new() }
}

fn refused(error: &notify::Error) -> Failure {
    let failure = Failure::new(Exit::Failed, "not-watched", "cannot watch the sources").detail(error.to_string());
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => failure.hint("sysctl fs.inotify.max_user_watches=524288"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn saves_are_seen_wherever_sources_lie_and_builds_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        for made in ["src", "target/debug"] {
            std::fs::create_dir_all(folder.path().join(made)).expect("a folder");
        }
        std::fs::write(folder.path().join("Cargo.toml"), "").expect("a file");
        let projects = Arc::new(vec![Project::open(folder.path()).expect("a project")]);
        let mut watch = Watch::start(&projects).expect("watched");
        let mut next = async |path: &str| {
            let file = projects[0].folder().join(path);
            std::fs::write(&file, path).expect("a file");
            let seen = async { while watch.changed().await.path != file {} };
            tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap_or_else(|_| panic!("{path} is not seen"));
        };
        next("src/lib.rs").await;
        next("build.rs").await;
        std::fs::create_dir(folder.path().join("deep")).expect("a folder");
        next("src/other.rs").await;
        next("deep/a.rs").await;
        std::fs::write(folder.path().join("target/debug/a.o"), "").expect("a file");
        std::fs::write(folder.path().join("Cargo.lock"), "").expect("a file");
        let others = tokio::time::timeout(Duration::from_millis(200), async {
            loop {
                let change = watch.changed().await;
                assert!(!change.path.ends_with("a.o") && !change.path.ends_with("Cargo.lock"), "{change:?}");
            }
        });
        assert!(others.await.is_err());
    }
}

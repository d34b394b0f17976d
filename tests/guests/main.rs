//! One set of cases for services in every language, through the real binary.
//!
//! Each case walks over [`LANGUAGES`]; the services of a language answer below its name, so that one host serves them all.

mod bindings;
mod calls;
mod failures;
mod languages;
mod life;
mod projects;
mod scripts;

use std::path::Path;
use std::process::{Command, Output};

use steward_tests::build;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;

use languages::{LANGUAGES, Language, Made};

/// Flags of a host whose guests may take their time, on a machine that is busy with other tests.
const PATIENT: [&str; 2] = ["--guest-deadline", "30s"];

/// A host with some services of every language that has them.
struct Examination {
    host: Host,
}

impl Examination {
    /// Starts a host.
    async fn begin(flags: &[&'static str]) -> Examination {
        let flags = flags.to_vec();
        let started = tokio::task::spawn_blocking(move || Host::start(&flags));
        Examination { host: started.await.expect("the start does not panic").expect("the host starts") }
    }

    /// Mounts a service of every language that has one at `/<language>/<name>`, and returns those languages with the path.
    async fn mount(&self, name: &str, made: impl Fn(&Language) -> Option<Made>) -> Vec<(&'static Language, String)> {
        let mut mounted = Vec::new();
        for language in &LANGUAGES {
            match made(language) {
                Some(made) => {
                    let factory = format!("/{}/{name}", language.name);
                    self.deploy(made, &factory).await;
                    mounted.push((language, factory));
                }
                None => eprintln!("passed over: {} has no {name}", language.name),
            }
        }
        mounted
    }

    async fn deploy(&self, made: Made, factory: &str) {
        match made {
            Made::Guest(name) => {
                let built = tokio::task::spawn_blocking(move || guests::build(&[name], &Progress::hidden()));
                let built = built.await.expect("no panic").expect("the guest builds");
                self.deploy_file(&built[0].path, factory);
            }
            Made::Script(path) => self.deploy_file(&build::repository().join(path), factory),
        }
    }

    fn deploy_file(&self, file: &Path, factory: &str) {
        let deployed = deploy(&self.host, file, factory);
        assert!(deployed.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&deployed.stderr));
    }
}

/// Runs `steward deploy` on a file.
fn deploy(host: &Host, file: &Path, factory: &str) -> Output {
    let mut command = Command::new(build::steward().expect("steward builds"));
    command.env("STEWARD_URL", host.client().base()).args(["deploy", "--yes", "--factory", factory]).arg(file);
    tokio::task::block_in_place(|| command.output()).expect("steward runs")
}

//! One set of cases for services in every language, through the real binary.
//!
//! Each case walks over [`LANGUAGES`]; the services of a language answer below its name, so that one host serves them all.

mod bindings;
mod calls;
mod failures;
mod instances;
mod languages;
mod life;
mod projects;
mod python_scripts;
mod scripts;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::time::Duration;

use steward_sandbox::{Config, ModuleLimits, Sandbox, Script, ScriptFile};
use steward_tests::build;
use steward_tests::examples::{self, Error};
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

    /// Mounts a service of every language at `/<language>/<name>`, and returns the languages with their paths; those whose tool is missing
    /// are passed over.
    async fn mount(&self, name: &str, made: impl Fn(&Language) -> Made) -> Vec<(&'static Language, String)> {
        let mut mounted = Vec::new();
        for language in &LANGUAGES {
            if let Some(file) = component(made(language)).await {
                let factory = format!("/{}/{name}", language.name);
                self.deploy(&file, &factory);
                mounted.push((language, factory));
            }
        }
        mounted
    }

    fn deploy(&self, file: &Path, factory: &str) {
        let deployed = deploy(&self.host, file, factory);
        assert!(deployed.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&deployed.stderr));
    }
}

/// Returns the file of a service that can be deployed; none where the tool of its language is missing, which is said.
async fn component(made: Made) -> Option<PathBuf> {
    let built = tokio::task::spawn_blocking(move || match made {
        Made::Guest(name) => {
            Some(guests::build(&[name], &Progress::hidden()).expect("the guest builds")[0].path.clone())
        }
        Made::Script(path) => {
            compile_runner(path);
            Some(build::repository().join(path))
        }
        Made::Project(example) => match examples::built(example) {
            Ok(path) => Some(path),
            Err(Error::Missing { said }) => {
                eprintln!("passed over: {}: {said}", example.folder);
                None
            }
            Err(error @ (Error::Build { .. } | Error::Io { .. })) => panic!("{error}"),
        },
    });
    built.await.expect("no panic")
}

/// Has the runner of a script compiled where all hosts look for it, if it is that of Python: a machine that is busy with tests needs
/// minutes for it, and each of them would take all of it.
fn compile_runner(script: &str) {
    static COMPILED: Once = Once::new();
    if steward_sandbox::Language::of_file(script) != Some(steward_sandbox::Language::Python) {
        return;
    }
    COMPILED.call_once(|| {
        let cache_folder = build::code_cache().map(|(_, folder)| folder);
        let modules = ModuleLimits { deadline: Duration::from_secs(3600), ..ModuleLimits::default() };
        let sandbox = Sandbox::new(Config { cache_folder, modules, ..Config::default() }).expect("a sandbox");
        let text = "from steward import service\n\n\n@service(\"/core/none\")\nclass None_: pass\n".to_owned();
        let files = vec![ScriptFile { name: "none.py".to_owned(), text }];
        let script = Script { language: steward_sandbox::Language::Python, files };
        sandbox.prepare(&script.module()).expect("a script in order");
    });
}

/// Runs `steward deploy` on a file.
fn deploy(host: &Host, file: &Path, factory: &str) -> Output {
    let mut command = Command::new(build::steward().expect("steward builds"));
    command.env("STEWARD_URL", host.client().base()).args(["deploy", "--yes", "--factory", factory]).arg(file);
    tokio::task::block_in_place(|| command.output()).expect("steward runs")
}

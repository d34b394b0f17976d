//! The README and the reference of REST are run: their commands, in their order, against the real binary, must print what they show.
//!
//! The commands of one block share a temporary folder and a host. A block that starts no host itself belongs to the
//! tour, which deploys the counter before the part that is shown. Times, random ids, digests and ports differ from run
//! to run and count as equal. An output that ends in `…` is the beginning of a longer one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use http::Method;
use steward_tests::build;
use steward_tests::client::Client;
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;
use tempfile::TempDir;

use crate::{PATIENT, host_with_flags};

/// What is shown and not run here, by how it begins, and why.
const NOT_RUN: [(&str, &str); 3] = [
    ("cargo demo", "serves until somebody stops it, and what it runs is the tour that is run here"),
    ("cargo test", "runs this very test"),
    ("kill -9", "the process number is the tour's; what a kill leaves behind is examined by tests/crash"),
];

/// A command and what it prints, as the README shows them.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    command: String,
    output: Vec<String>,
}

/// Returns the commands of every block of a console in `page`.
fn blocks(page: &str) -> Vec<Vec<Shown>> {
    let fenced = page.split("\n```console\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    fenced.map(shown).collect()
}

fn shown(block: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let mut prints = false;
    for line in block.lines().map(str::trim) {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.split(" # ").next().unwrap_or_default().trim().to_owned();
            commands.push(Shown { command, output: Vec::new() });
        }
        // An empty line ends an output: what follows is a heading of the tour.
        prints = !line.is_empty() && (prints || line.starts_with("$ "));
        if let Some(last) = commands.last_mut().filter(|_| prints && !line.starts_with("$ ")) {
            last.output.push(line.to_owned());
        }
    }
    commands
}

/// Takes a command apart as a shell does: at blanks, not within single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns `text` without what differs from run to run.
fn normal(text: &str) -> String {
    let mut normal = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_time = word.len() > 9 && word.bytes().all(|byte| byte.is_ascii_digit());
        let is_random = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        normal.push_str(if is_time || is_random { "?" } else { word });
        let next = after.chars().next().map_or(0, char::len_utf8);
        normal.push_str(&after[..next]);
        rest = &after[next..];
    }
    normal
}

/// Where the commands of one block run.
struct Place {
    folder: TempDir,
    /// Which host they reach.
    base: String,
    /// The host that a command of the block has started.
    started: Option<Child>,
    /// Kept open, so that the host never writes into a closed pipe.
    output: Option<BufReader<ChildStdout>>,
    /// The one that the tour has.
    tour: Option<Host>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut child) = self.started.take() {
            // A process that has ended by itself cannot be killed any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Place {
    /// Makes a folder with the guests where `cargo guests` puts them, and the tour's host if the block starts none.
    async fn of(block: &[Shown]) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let components = folder.path().join("target/guests/components");
        std::fs::create_dir_all(&components).expect("a folder for guests");
        let built = tokio::task::spawn_blocking(|| guests::build(&["counter"], &Progress::hidden())).await;
        for guest in built.expect("the build does not panic").expect("the guests build") {
            std::fs::copy(&guest.path, components.join(format!("{}.wasm", guest.name))).expect("a component");
        }
        let starts = block.iter().any(|shown| shown.command.starts_with("steward start"));
        let tour = if starts { None } else { Some(host_with_flags(&["counter"], &PATIENT).await) };
        let base = tour.as_ref().map(|host| host.client().base().to_owned()).unwrap_or_default();
        Place { folder, base, started: None, output: None, tour }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command, and returns what it prints.
    async fn run(&mut self, command: &str) -> String {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &words[..] {
            ["steward", arguments @ .., "&"] => self.start(arguments),
            ["steward", arguments @ ..] => self.steward(arguments),
            ["curl", arguments @ ..] => self.curl(arguments).await,
            other => panic!("the page runs {other:?}: teach this test how, or say in NOT_RUN why not"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(build::steward().expect("steward builds"));
        command.args(arguments).current_dir(self.path());
        if !self.base.is_empty() {
            command.env("STEWARD_URL", &self.base);
        }
        command
    }

    /// Starts a host in the background. Its port is any: others run on this machine.
    fn start(&mut self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        let errors = std::fs::File::create(self.path().join("stderr.log")).expect("a file for the log");
        command.env("STEWARD_PORT", "0").env("STEWARD_ANNOUNCE", "-").stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().expect("the host starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("the host has an output");
        self.started = Some(child);
        let mut output = BufReader::new(output);
        output.read_line(&mut line).expect("the host speaks");
        self.output = Some(output);
        let log = || std::fs::read_to_string(self.path().join("stderr.log")).unwrap_or_default();
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}: {}", log()));
        self.base = ready["api"].as_str().expect("the announcement names the address").to_owned();
        String::new()
    }

    fn steward(&self, arguments: &[&str]) -> String {
        let done = self.command(arguments).output().expect("steward runs");
        assert!(done.status.success(), "steward {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    /// Does what curl would do, which need not be there: status and body.
    async fn curl(&self, arguments: &[&str]) -> String {
        let (mut method, mut path, mut body) = (None, None, None);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "-X" => method = rest.next().copied(),
                "--json" => body = rest.next().copied(),
                address => {
                    path = address
                        .trim_start_matches("http://")
                        .find('/')
                        .map(|at| &address.trim_start_matches("http://")[at..])
                }
            }
        }
        let method = method.unwrap_or(if body.is_some() { "POST" } else { "GET" });
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let headers: &[(&str, &str)] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        let (path, body) = (path.expect("curl is told an address"), body.unwrap_or_default().to_owned());
        let answer = Client::new(&self.base).send(method, path, headers, body).await.expect("an answer");
        format!("{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body))
    }
}

/// Returns the status that an answer begins with.
fn status(printed: &str) -> Option<u16> {
    printed.split(' ').next().filter(|word| word.len() == 3)?.parse().ok()
}

/// Compares what was printed with what is shown.
fn compare(shown: &Shown, printed: &str) {
    let wanted = normal(&shown.output.join("\n"));
    let printed = normal(printed);
    let is_same = match wanted.strip_suffix('…') {
        Some(beginning) => printed.starts_with(beginning.trim_end()),
        // Without an output the README says no more than that the command succeeds.
        None if wanted.is_empty() => status(&printed).is_none_or(|status| status < 400),
        None => printed.trim_end() == wanted,
    };
    assert!(is_same, "$ {}\nthe page shows    {wanted}\nprinted is        {printed}", shown.command);
}

/// Runs what a page shows; returns how many commands that were.
async fn run_all(page: &str) -> usize {
    let mut run = 0;
    for block in blocks(page) {
        let is_run = |shown: &&Shown| !NOT_RUN.iter().any(|(command, _)| shown.command.starts_with(command));
        let commands: Vec<&Shown> = block.iter().filter(is_run).collect();
        if commands.is_empty() {
            continue;
        }
        let mut place = Place::of(&block).await;
        for shown in commands {
            let printed = place.run(&shown.command).await;
            compare(shown, &printed);
            run += 1;
        }
        drop(place.tour.take());
    }
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_prints_what_it_shows() {
    let page = std::fs::read_to_string(build::repository().join("README.md")).expect("the README");
    let run = run_all(&page).await;
    assert!(run >= 8, "only {run} commands of the README were run");
    let all: Vec<String> = blocks(&page).into_iter().flatten().map(|shown| shown.command).collect();
    let mut unused = NOT_RUN.iter().filter(|(command, _)| !all.iter().any(|shown| shown.starts_with(command)));
    assert_eq!(unused.next(), None, "the README does not show it any more: take it out of NOT_RUN");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_of_rest_prints_what_it_shows() {
    let page = std::fs::read_to_string(build::repository().join("host/docs/rest.md")).expect("the reference");
    let run = run_all(&page).await;
    assert!(run >= 15, "only {run} commands of the reference were run");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_of_queries_prints_what_it_shows() {
    let page = std::fs::read_to_string(build::repository().join("host/docs/query.md")).expect("the reference");
    let run = run_all(&page).await;
    assert!(run >= 10, "only {run} commands of the reference were run");
}

#[test]
fn the_readme_shows_the_tour_and_the_example_as_they_are() {
    let read = |path: &str| std::fs::read_to_string(build::repository().join(path)).expect("a file of the repository");
    let (page, tour) = (read("README.md"), read("tests/src/bin/tour/one.rs"));
    // Headings of the tour begin with a number, in the block of the tour only.
    let headings =
        page.lines().filter_map(|line| line.split_once("  ")).filter(|(number, _)| number.parse::<u8>().is_ok());
    let mut count = 0;
    for (_, heading) in headings {
        assert!(tour.contains(&format!("\"{heading}\"")), "the tour has no part called {heading:?}");
        count += 1;
    }
    assert!(count > 0, "the README shows no part of the tour");
    let example = "guest-examples/counter/rust/src/lib.rs";
    let code = page.split_once(example).and_then(|(_, rest)| rest.split("```rust\n").nth(1)?.split("```").next());
    assert_eq!(code.expect("the README shows a service"), read(example), "the README shows another {example}");
}

#[test]
fn blocks_are_taken_apart_into_commands_and_outputs() {
    let page = "a\n```console\n1  b\n   $ c 'd e' # f\n     g\n     h\n\n2  i\n   j\n   $ k\n```\n";
    let shown = |command: &str, output: &[&str]| Shown {
        command: command.to_owned(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(blocks(page), [[shown("c 'd e'", &["g", "h"]), shown("k", &[])]]);
    assert_eq!(words("c 'd e'  f"), ["c", "d e", "f"]);
}

#[test]
fn what_differs_from_run_to_run_counts_as_equal() {
    let id = "01a1fe42b1b6775aa29c2a9432d2d777";
    assert_eq!(normal(&format!("/t/{id} at 1700000000000000: 3, ä…")), "/t/? at ?: 3, ä…");
}

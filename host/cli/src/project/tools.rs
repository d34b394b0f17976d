//! Running the tools of a language: what people see of them, and how they are stopped.
//!
//! A tool that may be stopped runs in a process group of its own, so that what it has started ends with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::{Error, io as out_of_reach};

/// Returns the tool that a project has of its own, else the one of this machine.
pub(super) fn own_or(own: PathBuf, tool: &str) -> PathBuf {
    if own.is_file() { own } else { PathBuf::from(tool) }
}

/// Returns true if a command tells its version: it is there, and can be run.
pub(super) fn answers(command: &mut Command) -> bool {
    command.arg("--version").output().is_ok_and(|answer| answer.status.success())
}

/// How much work a build puts into the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// What can be tried soonest.
    Quick,
    /// What is deployed.
    Whole,
}

/// What the language's tool has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// The name of the project.
    pub name: String,
    /// A component, or a core module with component metadata.
    pub module: Vec<u8>,
    /// What the tool said besides, such as warnings; empty if it said it aloud.
    pub said: String,
}

/// Where the words of a tool go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// To standard error, as they come.
    Aloud,
    /// Nowhere, unless the tool fails; with colours if they are wanted then.
    Kept {
        /// True: somebody will read them on a terminal.
        coloured: bool,
    },
}

/// What a tool that succeeded has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// To its standard output.
    pub(super) data: String,
    /// To its standard error; empty if people have seen it.
    pub(super) said: String,
}

/// Runs one tool at a time, until it is told to stop.
#[derive(Debug)]
pub(crate) struct Tools {
    voice: Voice,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Idle,
    Runs(Pid),
    Stopped,
}

impl Tools {
    /// Creates a runner with this voice.
    pub(crate) fn new(voice: Voice) -> Tools {
        Tools { voice, state: Mutex::new(State::Idle) }
    }

    /// Returns true if people see only what is wrong.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.voice, Voice::Kept { .. })
    }

    /// Returns the word for flags of tools that choose colours.
    pub(super) fn colour(&self) -> &'static str {
        match self.voice {
            Voice::Aloud => "auto",
            Voice::Kept { coloured: true } => "always",
            Voice::Kept { coloured: false } => "never",
        }
    }

    /// Runs a tool to its end and returns what it wrote.
    ///
    /// # Errors
    /// [`Error::Failed`] with what it said, [`Error::Stopped`], or [`Error::Io`] if it cannot be run.
    pub(super) fn run(&self, command: &mut Command) -> Result<Written, Error> {
        let tool = name(command);
        let output = self.output(command).map_err(|source| out_of_reach(format!("run {tool}"), source))?;
        let Some(output) = output else { return Err(Error::Stopped) };
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        if !output.status.success() {
            return Err(Error::Failed { tool, said });
        }
        Ok(Written { data: String::from_utf8_lossy(&output.stdout).into_owned(), said })
    }

    /// Returns nothing if the tool was stopped.
    fn output(&self, command: &mut Command) -> io::Result<Option<Output>> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        match self.voice {
            // In the terminal's own group, where its keys and its progress belong.
            Voice::Aloud => command.stderr(Stdio::inherit()),
            Voice::Kept { .. } => command.stderr(Stdio::piped()).process_group(0),
        };
        let child = {
            let mut state = self.state();
            if matches!(*state, State::Stopped) {
                return Ok(None);
            }
            let child = command.spawn()?;
            *state = i32::try_from(child.id()).ok().and_then(Pid::from_raw).map_or(State::Idle, State::Runs);
            child
        };
        let output = child.wait_with_output();
        let mut state = self.state();
        if matches!(*state, State::Stopped) {
            return Ok(None);
        }
        *state = State::Idle;
        output.map(Some)
    }

    /// Ends the tool that runs, and every later one before it begins.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        match (&*state, self.voice) {
            (State::Runs(group), Voice::Kept { .. }) => {
                // It may have ended by itself a moment ago.
                let _ = kill_process_group(*group, Signal::TERM);
            }
            (State::Runs(_), Voice::Aloud) | (State::Idle | State::Stopped, _) => {}
        }
        *state = State::Stopped;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is set whole or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a command as people would call it.
fn name(command: &Command) -> String {
    let first = command.get_args().next().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{} {first}", command.get_program().to_string_lossy()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn words_of_a_tool_that_fails_are_kept() {
        let tools = Tools::new(Voice::Kept { coloured: false });
        let written = tools.run(&mut shell("echo data; echo talk >&2")).expect("it succeeds");
        assert_eq!((written.data.as_str(), written.said.as_str()), ("data\n", "talk"));
        match tools.run(&mut shell("echo wrong >&2; exit 3")) {
            Err(Error::Failed { tool, said }) => assert_eq!((tool.as_str(), said.as_str()), ("sh -c", "wrong")),
            other => panic!("{other:?}"),
        }
        assert!(matches!(tools.run(&mut Command::new("no-such-tool")), Err(Error::Io { .. })));
    }

    #[test]
    fn a_stop_ends_what_runs_with_all_that_it_has_started_and_what_would_begin() {
        let tools = std::sync::Arc::new(Tools::new(Voice::Kept { coloured: false }));
        let runs = std::sync::Arc::clone(&tools);
        let folder = tempfile::tempdir().expect("a folder");
        let begun = folder.path().join("begun");
        let script = format!("touch '{}'; sleep 600 & wait", begun.display());
        let thread = std::thread::spawn(move || runs.run(&mut shell(&script)));
        while !begun.exists() {
            std::thread::yield_now();
        }
        tools.stop();
        assert!(matches!(thread.join().expect("no panic"), Err(Error::Stopped)));
        assert!(matches!(tools.run(&mut shell("true")), Err(Error::Stopped)));
    }
}

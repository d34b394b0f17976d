//! What a person sees while guests are built.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Progress on stderr: one line that moves on a terminal, a line for each step elsewhere, or nothing.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Spinner(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    /// Shows progress on stderr.
    pub fn stderr() -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress { shown: Shown::Lines };
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} guests: {prefix} {wide_msg:.dim} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        Progress { shown: Shown::Spinner(spinner) }
    }

    /// Shows nothing: for tests, whose output is a list of tests.
    pub fn hidden() -> Progress {
        Progress { shown: Shown::Nothing }
    }

    /// Begins a step.
    pub(super) fn doing(&self, step: &str) {
        match &self.shown {
            Shown::Spinner(spinner) => {
                spinner.set_prefix(step.to_owned());
                spinner.set_message("");
            }
            Shown::Lines => eprintln!("guests: {step}"),
            Shown::Nothing => (),
        }
    }

    /// Says where a step stands; too much for anything but a terminal.
    pub(super) fn detail(&self, detail: &str) {
        match &self.shown {
            Shown::Spinner(spinner) => spinner.set_message(detail.to_owned()),
            Shown::Lines | Shown::Nothing => (),
        }
    }

    /// Ends with a line that stays.
    pub(super) fn done(&self, line: &str) {
        match &self.shown {
            Shown::Spinner(spinner) => {
                spinner.finish_and_clear();
                eprintln!("guests: {line}");
            }
            Shown::Lines => eprintln!("guests: {line}"),
            Shown::Nothing => (),
        }
    }
}

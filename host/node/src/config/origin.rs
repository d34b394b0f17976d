//! The value of a setting together with the place where it was given.

use std::path::PathBuf;

use super::settings::{Setting, Shape};

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag(&'static Setting),
    /// In the environment.
    Variable(&'static Setting),
    /// In the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was set there.
        setting: &'static Setting,
    },
    /// Nowhere.
    Default(&'static Setting),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Flag(setting) => write!(f, "--{}", setting.flag()),
            Origin::Variable(setting) => f.write_str(&setting.variable()),
            Origin::File { path, line, setting } => write!(f, "{}:{line}: {}", path.display(), setting.key),
            Origin::Default(setting) => write!(f, "{} (default)", setting.key),
        }
    }
}

impl Origin {
    /// Returns the layer alone: `flag --port`, `env STEWARD_PORT`, `file steward.toml:3`, `default`.
    pub fn layer(&self) -> String {
        match self {
            Origin::Flag(setting) => format!("flag --{}", setting.flag()),
            Origin::Variable(setting) => format!("env {}", setting.variable()),
            Origin::File { path, line, .. } => format!("file {}:{line}", path.display()),
            Origin::Default(_) => "default".to_owned(),
        }
    }
}

/// The value that a setting has in the end, still as text, and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value; empty: none.
    pub text: String,
    /// Where it was given.
    pub origin: Origin,
}

impl Effective {
    /// Returns the line that sets this value in a configuration file; a comment if there is no value.
    pub fn as_toml(&self) -> String {
        let key = self.setting.key;
        if self.text.is_empty() {
            return format!("# {key} is not set");
        }
        match self.setting.shape {
            Shape::Number | Shape::Switch => format!("{key} = {}", self.text),
            Shape::Text => format!("{key} = {:?}", self.text),
            Shape::List => format!("{key} = {:?}", self.text.split(',').map(str::trim).collect::<Vec<_>>()),
        }
    }
}

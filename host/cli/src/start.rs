//! `start`: the flags of a node. They are made from the table of settings, so flag, variable, file key and help agree.

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use super::error::{Exit, Failure};
use super::output::Terminal;
use steward_node::config::{Effective, Given, Options, SETTINGS, Setting, Shape, gather, strangers, variable_names};

/// The flag of a host that another command runs for itself.
pub(super) const ENDS_WITH_PARENT: &str = "ends-with-parent";

/// Heading of the flags that are no settings.
const FILE_HEADING: &str = "Configuration";

/// What stands below the flags of `start`.
pub(super) const HELP: &str = "\
Every flag is also a variable, STEWARD_ and its name in capitals
(STEWARD_PEER_NODES), and a key of the file (peer_nodes). Flags win over
variables, these over the file. Xenon's spellings (--peerNodes=...) are taken.

Examples:
  steward start
  steward --port 8000 --data ./node-1 --id node-1
  steward --ephemeral --port 0 --announce ready.json";

/// What `start` is told on the command line.
#[derive(Debug, Clone, Default)]
pub(super) struct StartArgs {
    /// Settings that were given, and the file.
    pub given: Given,
    print_config: bool,
    check_config: bool,
    ends_with_parent: bool,
}

/// What was asked for besides, or instead of, starting.
enum Wish {
    Start(Box<Options>),
    Nothing,
}

/// Runs `start`: hands the checked options to `node`, which runs until it is stopped.
///
/// # Errors
/// A failure if a setting is wrong or the node fails.
pub(super) fn run(
    args: &StartArgs,
    terminal: &mut Terminal,
    node: impl FnOnce(Options) -> anyhow::Result<ExitCode>,
) -> Result<ExitCode, Failure> {
    if args.ends_with_parent {
        end_with_parent()?;
    }
    match wish(args, std::env::vars(), terminal)? {
        Wish::Start(options) => {
            let data = (!options.ephemeral).then(|| options.data.clone());
            node(*options).map_err(|error| failed(error, data.as_deref()))
        }
        Wish::Nothing => Ok(ExitCode::SUCCESS),
    }
}

/// Turns what ended a node into a failure; `data` is the folder that it keeps.
fn failed(error: anyhow::Error, data: Option<&Path>) -> Failure {
    let failure = Failure::from(error);
    let Some(data) = data.filter(|_| failure.code == "no-space") else { return failure };
    failure
        .detail(format!("the disk is full that holds the data folder {}", data.display()))
        .hint("free space there, or make it larger, and start again: nothing that was acknowledged is lost")
}

/// Lets this process be told to stop when the one that started it is gone, however that ended.
#[cfg(target_os = "linux")]
fn end_with_parent() -> Result<(), Failure> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    let set = set_parent_process_death_signal(Some(Signal::TERM));
    set.map_err(|error| Failure::new(Exit::Failed, "failed", "cannot follow the parent").detail(error.to_string()))
}

/// Other systems do not tell. There a parent has to see to it itself.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> Result<(), Failure> {
    Ok(())
}

fn wish(
    args: &StartArgs,
    variables: impl Iterator<Item = (String, String)>,
    terminal: &mut Terminal,
) -> Result<Wish, Failure> {
    let effective = gather(&args.given, variables)?;
    let options = Options::from_effective(&effective)?;
    if args.print_config {
        effective.iter().map(Effective::as_toml).for_each(|line| terminal.print(&line));
        return Ok(Wish::Nothing);
    }
    if args.check_config {
        strangers(variable_names()).iter().for_each(|stranger| terminal.say(&format!("warning: {stranger}")));
        terminal.say("configuration is valid");
        return Ok(Wish::Nothing);
    }
    Ok(Wish::Start(Box::new(options)))
}

/// Returns true if `name` is a flag of `start` in any of its spellings, without dashes and value.
pub(super) fn is_flag(name: &str) -> bool {
    ["config", "print-config", "check-config", "printConfig", "checkConfig"].contains(&name)
        || SETTINGS.iter().any(|setting| setting.is_spelt(name))
}

/// Adds the flags of all settings and the file to a command.
fn with_settings(command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .help_heading(FILE_HEADING)
        .help("TOML file, keys in snake_case [env: STEWARD_CONFIG]");
    SETTINGS.iter().fold(command, |command, setting| command.arg(flag(setting))).arg(config)
}

fn flag(setting: &'static Setting) -> Arg {
    let shown_default = match setting.default {
        "" | "false" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let arg = Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .help_heading(setting.heading)
        .help(format!("{}{shown_default}", setting.help));
    let arg = if setting.camel_flag() == setting.flag() { arg } else { arg.alias(setting.camel_flag()) };
    let arg = if setting.also.is_empty() { arg } else { arg.alias(setting.also) };
    match setting.shape {
        // The flag alone says yes; `--ephemeral=false` overrules a variable or the file.
        Shape::Switch => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true").hide_possible_values(true)
        }
        Shape::List => arg.action(ArgAction::Append),
        Shape::Number | Shape::Text => arg,
    }
}

impl clap::Args for StartArgs {
    fn augment_args(command: Command) -> Command {
        let switch = |name: &'static str, camel: &'static str, help: &'static str| {
            Arg::new(name).long(name).alias(camel).action(ArgAction::SetTrue).help_heading(FILE_HEADING).help(help)
        };
        with_settings(command)
            .arg(switch("print-config", "printConfig", "Print the settings as a file and exit"))
            .arg(switch("check-config", "checkConfig", "Check the settings and exit"))
            .arg(
                switch(ENDS_WITH_PARENT, "endsWithParent", "Stop when the process that started this one is gone")
                    .hide(true),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        StartArgs::augment_args(command)
    }
}

impl clap::FromArgMatches for StartArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<StartArgs, clap::Error> {
        Ok(StartArgs {
            given: given(matches),
            print_config: matches.get_flag("print-config"),
            check_config: matches.get_flag("check-config"),
            ends_with_parent: matches.get_flag(ENDS_WITH_PARENT),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = StartArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

fn given(matches: &ArgMatches) -> Given {
    let text = |setting: &Setting| {
        let values = matches.get_many::<String>(setting.key)?;
        Some(values.map(String::as_str).collect::<Vec<_>>().join(","))
    };
    Given {
        flags: SETTINGS.iter().filter_map(|setting| Some((setting.key, text(setting)?))).collect(),
        file: matches.get_one::<String>("config").map(Into::into),
    }
}

/// The settings without what only `start` understands, for commands that look at them.
#[derive(Debug, Clone, Default)]
pub(super) struct SettingsArgs {
    /// Settings that were given, and the file.
    pub given: Given,
}

impl clap::Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        with_settings(command).mut_args(|arg| if arg.get_id() == "config" { arg } else { arg.hide(true) })
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingsArgs::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SettingsArgs, clap::Error> {
        Ok(SettingsArgs { given: given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = SettingsArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn flags(words: &[&str]) -> Given {
        let command = StartArgs::augment_args(Command::new("start").no_binary_name(true));
        let matches = command.try_get_matches_from(words).expect("valid flags");
        StartArgs::from_arg_matches(&matches).expect("flags of a node").given
    }

    #[test]
    fn both_spellings_and_both_separators_are_the_same() {
        let kebab = flags(&["--peer-nodes", "http://a", "--membership-quorum", "3"]);
        assert_eq!(kebab, flags(&["--peerNodes=http://a", "--membershipQuorum=3"]));
        assert_eq!(kebab.flags["peer_nodes"], "http://a");
    }

    #[test]
    fn switches_need_no_value_and_lists_may_be_repeated() {
        let given = flags(&["--ephemeral", "--insecure-public=false", "--cors-origin", "a", "--corsOrigin=b,c"]);
        assert_eq!(given.flags["ephemeral"], "true");
        assert_eq!(given.flags["insecure_public"], "false");
        assert_eq!(given.flags["cors_origin"], "a,b,c");
        assert!(!given.flags.contains_key("port"));
    }

    #[test]
    fn every_setting_is_known_as_a_flag() {
        assert!(is_flag("peer-nodes") && is_flag("peerNodes") && is_flag("config"));
        assert!(!is_flag("host") && !is_flag("help"));
    }
}

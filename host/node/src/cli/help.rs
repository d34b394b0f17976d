//! The help that `steward` alone prints: the commands, grouped by what people want to do, on a screen of 80 columns.

use clap::{ColorChoice, Command, CommandFactory};

use super::error::EXIT_CODES;
use super::words::Cli;

/// Commands in groups, in the order of the help.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Author", &["new", "build", "test", "dev"]),
    ("Node", &["start", "status", "nodes", "config", "log"]),
    ("Services", &["deploy", "rollback", "services", "modules", "inspect"]),
    ("Documents", &["get", "post", "put", "patch", "delete", "query", "history"]),
];

const EXAMPLES: &str = "\
Try:
  steward start --ephemeral &
  steward deploy counter.wasm
  steward post /core/counters name=c1";

/// Returns the whole command, with its designed help.
pub(super) fn command(colour: ColorChoice) -> Command {
    let command = Cli::command().color(colour);
    let commands = listing(&command);
    let template = format!(
        "{{about}}\n\nUsage: steward [OPTIONS] <COMMAND>\n       steward --port N --data DIR ...      \
         (flags of `start` alone)\n\n{commands}\nOptions:\n{{options}}{{after-help}}"
    );
    command
        .help_template(template)
        .after_help(format!("{EXAMPLES}\n\nMore: steward help COMMAND, and --help for exit codes"))
        .after_long_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"))
        .disable_help_subcommand(false)
        .arg_required_else_help(true)
}

/// Returns true if `word` is a command.
pub(super) fn is_command(word: &str) -> bool {
    word == "help" || GROUPS.iter().any(|(_, names)| names.contains(&word))
}

/// Returns true if `name` is a long flag that stands before a command.
pub(super) fn is_global_flag(name: &str) -> bool {
    ["help", "version"].contains(&name) || Cli::command().get_arguments().any(|flag| flag.get_long() == Some(name))
}

fn listing(command: &Command) -> String {
    let mut text = String::new();
    for (group, names) in GROUPS {
        text.push_str(&format!("{group}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:<9} {about}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group_and_says_what_it_does() {
        let command = Cli::command();
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut existing: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        existing.sort_unstable();
        assert_eq!(grouped, existing);
        assert!(command.get_subcommands().all(|one| one.get_about().is_some()), "{}", listing(&command));
    }

    #[test]
    fn help_fits_a_terminal_of_80_columns() {
        let mut whole = command(ColorChoice::Never).term_width(80);
        let short = whole.render_help().to_string();
        assert!(short.lines().count() <= 42, "{short}");
        whole.build();
        for one in whole.get_subcommands_mut() {
            let long = one.clone().term_width(80).render_long_help().to_string();
            let wide: Vec<_> = long.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty(), "{}: {wide:#?}", one.get_name());
        }
        assert!(whole.render_long_help().to_string().lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn definitions_of_all_commands_are_consistent() {
        command(ColorChoice::Never).debug_assert();
    }
}

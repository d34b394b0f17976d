//! The help that `steward` alone prints: the commands, grouped by what people want to do, on a screen of 80 columns.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::{ColorChoice, Command, CommandFactory};

use super::error::EXIT_CODES;
use super::words::Cli;

/// Commands in groups, in the order of the help.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Author", &["new", "build", "test", "dev"]),
    ("Node", &["start", "stop", "status", "nodes", "owner", "quorum", "config", "log"]),
    ("Services", &["deploy", "rollback", "migrate", "undeploy", "services", "modules", "openapi", "inspect"]),
    ("Documents", &["get", "post", "put", "patch", "delete", "query", "history", "replay", "effects"]),
    ("This machine", &["doctor", "completions", "man"]),
];

/// What people call a command that is called otherwise here.
const OTHER_WORDS: [(&str, &str); 9] = [
    ("create", "post"),
    ("list", "services"),
    ("logs", "log"),
    ("ls", "services"),
    ("run", "start"),
    ("serve", "start"),
    ("show", "get"),
    ("update", "patch"),
    ("version", "--version"),
];

const EXAMPLES: &str = "\
Try:
  steward start --ephemeral &
  steward deploy counter.wasm
  steward post /core/counters --id c1 step:=5";

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

/// Puts the usage of the command in the place of the one that an error has, in which flags seem to be wanted whose variables are set.
pub(super) fn plain_usage(error: &mut Error, whole: &mut Command) {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return };
    let said = usage.to_string();
    whole.build();
    let mut command = whole;
    for word in said.split_whitespace().skip_while(|word| *word != "steward").skip(1) {
        match command.find_subcommand(word).is_some() {
            true => command = command.find_subcommand_mut(word).expect("it was found by the same name"),
            false => break,
        }
    }
    let usage = command.render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
}

/// Puts our own suggestion in the place of the one that an error has for a command that is not there. What merely begins alike helps
/// nobody: who writes `stop` does not mean `history`.
pub(super) fn suggest(error: &mut Error) {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let meant = meant(word);
    error.remove(ContextKind::SuggestedSubcommand);
    error.remove(ContextKind::Suggested);
    if let Some(meant) = meant {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant.to_owned()]));
    }
}

fn meant(word: &str) -> Option<&'static str> {
    let other = OTHER_WORDS.into_iter().find(|(other, _)| *other == word).map(|(_, ours)| ours);
    let ours = GROUPS.into_iter().flat_map(|(_, names)| names.iter().copied());
    let near = ours.map(|name| (strsim::damerau_levenshtein(name, word), name)).min();
    other.or_else(|| near.filter(|(distance, _)| *distance <= 1.max(word.len() / 4)).map(|(_, name)| name))
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
            text.push_str(&format!("  {name:<11} {about}\n"));
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
    fn only_what_may_have_been_meant_is_suggested() {
        assert_eq!(
            (meant("stauts"), meant("logs"), meant("version")),
            (Some("status"), Some("log"), Some("--version"))
        );
        assert_eq!((meant("export"), meant("generate"), meant("xyz")), (None, None, None));
    }

    #[test]
    fn help_fits_a_terminal_of_80_columns() {
        let mut whole = command(ColorChoice::Never).term_width(80);
        let short = whole.render_help().to_string();
        assert!(short.lines().count() <= 60, "{short}");
        whole.build();
        // A terminal breaks longer lines once more, in the middle.
        let mut commands = vec![&whole];
        while let Some(one) = commands.pop() {
            commands.extend(one.get_subcommands());
            let texts =
                [one.get_after_help(), one.get_after_long_help()].into_iter().flatten().map(ToString::to_string);
            let wide: Vec<_> = texts
                .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
                .filter(|line| line.chars().count() > 80)
                .collect();
            assert!(wide.is_empty(), "{}: {wide:#?}", one.get_name());
        }
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

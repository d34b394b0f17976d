//! `completions` and `man`: what a shell and a manual know of this program, made of its own definitions.

use clap::Command;
use clap_complete::Shell;

use super::error::{Exit, Failure};
use super::output::Terminal;

/// Prints what completes commands in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward completions bash > ~/.local/share/bash-completion/completions/steward
  steward completions zsh > \"${fpath[1]}/_steward\"
  steward completions fish > ~/.config/fish/completions/steward.fish")]
pub(super) struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

/// Prints a page of the manual
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  steward man | man -l -
  steward man deploy > /usr/local/share/man/man1/steward-deploy.1")]
pub(super) struct ManArgs {
    /// Command [default: all of them]
    command: Option<String>,
}

/// Runs `completions` for the whole command line.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command, terminal: &mut Terminal) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "steward", &mut script);
    terminal.print_text(&script);
    Exit::Done
}

/// Runs `man` for the whole command line.
///
/// # Errors
/// A failure of usage if there is no such command.
pub(super) fn man(args: &ManArgs, mut whole: Command, terminal: &mut Terminal) -> Result<Exit, Failure> {
    whole.build();
    let page = match &args.command {
        None => whole,
        Some(name) => {
            let found = whole.find_subcommand(name).cloned();
            let unknown = || Failure::usage(format!("there is no command {name}")).hint("all of them: steward --help");
            found.ok_or_else(unknown)?.name(format!("steward-{name}"))
        }
    };
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, "failed", format!("cannot make the page: {error}"));
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(failed)?;
    terminal.print_text(&text);
    Ok(Exit::Done)
}

//! The format of scripts: blocks of commands and their traces.

use anyhow::{Context, Result};

/// What stands between the commands and the trace of a block.
const RULE: &str = "---";

/// A file of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    blocks: Vec<Block>,
}

/// Commands, comments among them, and what they gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Block {
    commands: Vec<String>,
    trace: Vec<String>,
}

impl Script {
    /// Parses a script. A block without a rule has no trace yet.
    pub(crate) fn parse(text: &str) -> Result<Script> {
        let mut blocks = Vec::new();
        for lines in text.lines().collect::<Vec<_>>().split(|line| line.is_empty()) {
            let mut parts = lines.splitn(2, |line| *line == RULE);
            let commands: Vec<_> = parts.next().unwrap_or_default().iter().map(|line| (*line).to_owned()).collect();
            let trace = parts.next().unwrap_or_default().iter().map(|line| (*line).to_owned()).collect();
            if !commands.is_empty() {
                blocks.push(Block { commands, trace });
            }
        }
        Ok(Script { blocks })
    }

    /// Returns the script with the trace that `run` gives, one call per command.
    pub(crate) fn run(&self, mut run: impl FnMut(&str) -> Result<Vec<String>>) -> Result<Script> {
        let mut blocks = Vec::new();
        for block in &self.blocks {
            let mut trace = Vec::new();
            for command in block.commands.iter().filter(|command| !command.starts_with('#')) {
                trace.extend(run(command).with_context(|| format!("run command {command:?}"))?);
            }
            blocks.push(Block { commands: block.commands.clone(), trace });
        }
        Ok(Script { blocks })
    }

    /// Returns the blocks whose trace is another one in `ran`, with both traces.
    pub(crate) fn difference(&self, ran: &Script) -> String {
        let mut difference = String::new();
        for (expected, found) in self.blocks.iter().zip(&ran.blocks).filter(|(expected, found)| expected != found) {
            difference.push_str(&format!("  {}\n", expected.commands.join("\n  ")));
            expected.trace.iter().for_each(|line| difference.push_str(&format!("  - {line}\n")));
            found.trace.iter().for_each(|line| difference.push_str(&format!("  + {line}\n")));
        }
        if difference.is_empty() { "  only blank lines differ\n".into() } else { difference }
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, block) in self.blocks.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            block.commands.iter().try_for_each(|line| writeln!(f, "{line}"))?;
            if block.commands.iter().any(|line| !line.starts_with('#')) {
                writeln!(f, "{RULE}")?;
            }
            block.trace.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        Ok(())
    }
}

#[test]
fn scripts_print_as_they_were_written() {
    let text = "# head\n\none\ntwo a=1\n---\nthree\n\nfour\n---\n";
    assert_eq!(Script::parse(text).unwrap().to_string(), text);
}

#[test]
fn a_trace_that_differs_is_shown_beside_the_expected_one() {
    let script = Script::parse("one\n---\nexpected\n").unwrap();
    let ran = script.run(|_| Ok(vec!["found".into()])).unwrap();
    assert_eq!(script.difference(&ran), "  one\n  - expected\n  + found\n");
}

//! The terminal: data on standard output, messages on standard error; tables for people, JSON for programs.
//!
//! If the reader closes the pipe (`steward history … | head -1`), that is no failure. The rest of the output is dropped
//! and the command runs to its end. So a reader that stops early never cuts a deployment in half. Output that is lost for
//! another reason, such as a full disk, does not stop the command either, and is told at its end.
//!
//! Much of what is written was chosen by somebody else: documents, names of nodes, words of guests. It passes [`shown`], so that it
//! cannot command the terminal. Sequences that do are written here only.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::Value;
use steward_model::line::{one_line, shown};
use steward_model::{Exact, Timestamp};

use super::error::{Exit, Failure};
use super::table::{Table, in_one_row, painted};

/// Clears the screen, what was scrolled out of it, and goes to its beginning: source ECMA-48, ED and CUP; 3 is xterm's.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

/// Columns of the names in front of lists of words.
const NAME_COLUMNS: usize = 9;

/// What stands between parts of a line.
const PART_GAP: &str = "   ";

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Columns for people.
    Table,
    /// A JSON document with "type" and "schema".
    Json,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How times are written in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Times {
    /// As a distance: `3m ago`.
    Human,
    /// As RFC 3339 in UTC.
    Iso,
}

/// What a person reads and answers on.
pub(super) struct Terminal {
    /// Where data goes.
    pub data: Box<dyn Write>,
    /// Why a part of the data was lost, if one was.
    pub lost: Option<std::io::Error>,
    /// Where talk goes.
    pub talk: Box<dyn Write>,
    /// Where answers come from.
    pub answers: Box<dyn BufRead>,
    /// How results are written.
    pub format: Format,
    /// How times are written.
    pub times: Times,
    /// Columns of the terminal on which data is read; none: it goes somewhere else.
    pub columns: Option<usize>,
    /// True: only the essential, no talk.
    pub quiet: bool,
    /// True: talk has colours.
    pub coloured: bool,
    /// True: tables have colours.
    pub coloured_data: bool,
    /// True: somebody is there to answer and to watch progress.
    pub interactive: bool,
    /// The time at which the command began.
    pub now: Timestamp,
}

impl Terminal {
    /// Returns the terminal of this process.
    pub(super) fn of_process(now: Timestamp) -> Terminal {
        let watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Terminal {
            data: Box::new(std::io::stdout()),
            lost: None,
            talk: Box::new(std::io::stderr()),
            answers: Box::new(std::io::BufReader::new(std::io::stdin())),
            format: Format::Table,
            times: Times::Human,
            columns: columns(),
            quiet: false,
            coloured: use_colour(Colour::Auto, &std::io::stderr()),
            coloured_data: use_colour(Colour::Auto, &std::io::stdout()),
            interactive: watched && !is_set("CI"),
            now,
        }
    }

    /// Writes a line of data.
    pub(super) fn print(&mut self, line: &str) {
        let written = writeln_to(&mut *self.data, &shown(line));
        self.keep(written);
    }

    /// Remembers that data was lost. A reader that has gone has read enough.
    fn keep(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.lost.get_or_insert(error);
        }
    }

    /// Returns nothing if all data was written that somebody wanted to read.
    ///
    /// # Errors
    /// A failure that says why it was not.
    pub(super) fn written(&mut self) -> Result<(), Failure> {
        self.lost.take().map_or(Ok(()), |error| Err(Failure::unwritten(&error)))
    }

    /// Shows that something was not written that goes to nowhere else.
    ///
    /// # Errors
    /// The failure that was shown.
    pub(super) fn wrote(&mut self, written: std::io::Result<()>) -> Result<(), Failure> {
        self.keep(written);
        self.written().inspect_err(|failure| self.show_failure(failure))
    }

    /// Writes short texts beside one another, on as many lines as the terminal is too narrow for.
    pub(super) fn print_parts(&mut self, parts: &[String]) {
        for line in folded(parts, self.columns.unwrap_or(usize::MAX)) {
            self.print(&line);
        }
    }

    /// Writes words behind a name in front of them, on as many lines as the terminal makes of them; to a file, on one.
    pub(super) fn print_listed(&mut self, name: &str, words: &[String]) {
        for line in listed(name, words, self.columns) {
            self.print(&line);
        }
    }

    /// Says words behind a name in front of them, as [`Terminal::print_listed`] prints them.
    pub(super) fn say_listed(&mut self, name: &str, words: &[String]) {
        for line in listed(name, words, self.columns) {
            self.say(&line);
        }
    }

    /// Writes whole lines of data of our own as they are.
    pub(super) fn print_text(&mut self, text: &[u8]) {
        let written = self.data.write_all(text).and_then(|()| self.data.flush());
        self.keep(written);
    }

    /// Writes a table, no wider than the terminal.
    pub(super) fn print_table(&mut self, table: &Table) {
        // What a terminal could take for a command was taken out of its cells already.
        let text = if self.coloured_data { table.coloured(self.columns) } else { table.render(self.columns) };
        let written = writeln_to(&mut *self.data, &text);
        self.keep(written);
    }

    /// Writes a document for programs.
    pub(super) fn print_json(&mut self, document: &Value) {
        self.print(&format!("{document:#}"));
    }

    /// Writes a document for programs, numbers as they were read.
    pub(super) fn print_exact(&mut self, document: &Exact) {
        self.print(&format!("{document:#}"));
    }

    /// Writes a line of talk, unless asked to be quiet.
    pub(super) fn say(&mut self, line: &str) {
        if !self.quiet {
            write_line(&mut *self.talk, &shown(line));
        }
    }

    /// Empties the screen and what was scrolled out of it.
    pub(super) fn clear(&mut self) {
        if !self.quiet {
            write_line(&mut *self.talk, CLEAR);
        }
    }

    /// Writes a line of talk that begins with a coloured word.
    pub(super) fn hint(&mut self, word: &str, line: &str) {
        if !self.quiet {
            let line = format!("{} {}", self.paint("36", word), shown(line));
            write_line(&mut *self.talk, &line);
        }
    }

    /// Shows a failure: for programs as one JSON document, else as lines. Also when asked to be quiet.
    pub(super) fn show_failure(&mut self, failure: &Failure) {
        if self.format == Format::Json {
            let text = failure.as_json().to_string();
            return write_line(&mut *self.talk, &shown(&text));
        }
        let error = self.paint("1;31", &format!("error[{}]", shown(&failure.code)));
        // What others have said must not begin a line as our own words do.
        let indented = |text: &str| shown(text).replace('\n', "\n    ");
        let mut lines = vec![format!("{error}: {}", indented(&failure.message))];
        lines.extend(failure.details.iter().map(|line| format!("  {}", indented(line))));
        let word = self.paint("36", "hint:");
        lines.extend(failure.hints.iter().map(|line| format!("{word} {}", indented(line))));
        write_line(&mut *self.talk, &lines.join("\n"));
    }

    /// Asks a question that needs a yes.
    ///
    /// # Errors
    /// A failure of usage if the answer is not yes, or if nobody is there to answer.
    pub(super) fn confirm(&mut self, question: &str, agreed: bool) -> Result<(), Failure> {
        if agreed {
            return Ok(());
        }
        let refused = |message: &str| Failure::new(Exit::Usage, "not-confirmed", message);
        if !self.interactive {
            let unasked = refused(&format!("nobody is here to be asked: {}", shown(question)));
            return Err(unasked.hint("add --yes to say yes beforehand"));
        }
        // A prompt that cannot be written will not be answered either.
        let _ = write!(self.talk, "{} [y/N] ", shown(question)).and_then(|()| self.talk.flush());
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(|error| Failure::unreadable("the answer", &error))?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(refused("not confirmed: nothing was changed")),
        }
    }

    /// Returns a time as it is written in tables; `–` for none.
    pub(super) fn time(&self, micros: Option<i64>) -> String {
        let Some(micros) = micros.filter(|micros| *micros != 0) else { return "–".to_owned() };
        match self.times {
            Times::Human => ago(self.now.0.saturating_sub(micros)),
            Times::Iso => {
                jiff::Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |t| t.to_string())
            }
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.coloured { painted(code, text) } else { text.to_owned() }
    }
}

/// Returns true if what goes to `output` shall have colours. NO_COLOR wins over `auto`, a flag over both.
pub(super) fn use_colour(when: Colour, output: &impl IsTerminal) -> bool {
    match when {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if is_set("NO_COLOR") || std::env::var("TERM").is_ok_and(|term| term == "dumb") => false,
        Colour::Auto => is_set("CLICOLOR_FORCE") || output.is_terminal(),
    }
}

/// Returns how wide the terminal is on which data is read.
fn columns() -> Option<usize> {
    let output = std::io::stdout();
    if !output.is_terminal() {
        return None;
    }
    // What a person says about it wins over what the terminal says.
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || rustix::termios::tcgetwinsize(output).ok().map(|size| usize::from(size.ws_col));
    said.or_else(measured).filter(|columns| *columns > 0)
}

/// Returns lines of at most `columns` characters with all parts; a part alone may be longer.
fn folded(parts: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + PART_GAP.len() + part.chars().count() <= columns => {
                line.push_str(PART_GAP);
                line.push_str(part);
            }
            Some(_) | None => lines.push(part.clone()),
        }
    }
    lines
}

/// Returns lines of a name and the words behind it; on one line if it may have any number of columns.
fn listed(name: &str, words: &[String], columns: Option<usize>) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| one_line(word)).collect();
    let words = if words.is_empty() { vec!["none".to_owned()] } else { words };
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(NAME_COLUMNS));
    let first = std::iter::once(name).chain(std::iter::repeat(""));
    first.zip(folded(&words, room)).map(|(name, line)| format!("{name:NAME_COLUMNS$}{line}")).collect()
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn write_line(to: &mut dyn Write, line: &str) {
    // Nobody is left to be told when the terminal itself is gone.
    let _ = writeln_to(to, line);
}

fn writeln_to(to: &mut dyn Write, line: &str) -> std::io::Result<()> {
    writeln!(to, "{line}").and_then(|()| to.flush())
}

/// Returns a distance in time in its largest unit.
pub(super) fn ago(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        ..0 => "in the future".to_owned(),
        0 => "just now".to_owned(),
        1..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        86_400.. => format!("{}d ago", seconds / 86_400),
    }
}

/// Returns a number with commas between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a value as it stands in a cell: text without quotes, the rest as short JSON.
pub(super) fn cell(value: &Value) -> String {
    exact_cell(&Exact::from(value.clone()))
}

/// Returns what [`cell`] does, numbers as they were read.
pub(super) fn exact_cell(value: &Exact) -> String {
    match value {
        Exact::Null => "–".to_owned(),
        Exact::Text(text) => in_one_row(text),
        Exact::Bool(_) | Exact::Number(_) | Exact::List(_) | Exact::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_their_largest_unit() {
        let second = 1_000_000;
        for (micros, text) in [
            (-1_000_000, "in the future"),
            (5, "just now"),
            (59 * second, "59s ago"),
            (61 * second, "1m ago"),
            (7_200 * second, "2h ago"),
            (3 * 86_400 * second, "3d ago"),
        ] {
            assert_eq!(ago(micros), text);
        }
    }

    #[test]
    fn parts_of_a_line_go_to_the_next_where_it_is_full() {
        let parts = ["group default", "1/1 AVAILABLE", "quorum 1"].map(str::to_owned);
        assert_eq!(folded(&parts, 80), ["group default   1/1 AVAILABLE   quorum 1"]);
        assert_eq!(folded(&parts, 30), ["group default   1/1 AVAILABLE", "quorum 1"]);
        assert_eq!(folded(&parts, 5), parts);
    }

    #[test]
    fn long_lists_stay_within_the_terminal() {
        let words = ["wasi:io/poll", "wasi:io/streams", "forged\nline"].map(str::to_owned);
        let lines = ["imports  wasi:io/poll   wasi:io/streams", "         forged line"];
        assert_eq!(listed("imports", &words, Some(44)), lines);
        assert_eq!(listed("imports", &words, None).len(), 1);
        assert_eq!(listed("imports", &[], None), ["imports  none"]);
    }

    #[test]
    fn a_value_begins_no_row_of_its_own() {
        assert_eq!(cell(&Value::from("a\nb\tc\r")), "a b c ");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1_204, 8_812_401].map(thousands), ["0", "999", "1,204", "8,812,401"]);
    }
}

//! `log`: shows the commit log of a node that does not run.
//!
//! The command only reads. A torn end stays torn, so what is shown is what the next start will find. Meanwhile the
//! command holds the lock of the folder, so that no node starts on it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use steward_model::partition::SelectorId;
use steward_model::{Lane, Link, Lsn, PartitionId};
use steward_storage::format::{self, DataFolder};
use steward_storage::log::inspect::{self, Condition, Inspected, Inspection, Note};

use super::error::{Exit, Failure};
use super::log_frames::{self, Shown};
use super::output::{Format, Terminal, thousands};
use super::table::Table;

/// Shows the commit log of a stopped node
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Changes nothing, and needs no host. Refuses the folder of a running node.
With -o json, one object a line. Exit code 1 if the log is damaged.

Examples:
  steward log ./steward-data                           its segments
  steward log ./steward-data --frames --from 1200      what they hold
  steward log ./steward-data --link /core/counters/clicks  one document
  steward log ./steward-data --system -o json          the system group")]
pub(super) struct Args {
    /// Data folder of a node, as --data names it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Every frame, too
    #[arg(long)]
    frames: bool,
    /// Only frames of this partition: 141, or 0/persisted/141
    #[arg(long, value_name = "P", value_parser = partition)]
    partition: Option<PartitionId>,
    /// Only frames from this one on
    #[arg(long, value_name = "LSN")]
    from: Option<u64>,
    /// Only records of this document
    #[arg(long, value_name = "LINK", value_parser = link)]
    link: Option<Link>,
    /// The log of the system group instead
    #[arg(long, conflicts_with_all = ["partition", "link"])]
    system: bool,
}

fn partition(text: &str) -> Result<PartitionId, String> {
    let malformed = || format!("{text:?} is no partition: write its number, or its id as in /core/partitions");
    let (selector, lane, index) = match text.split('/').collect::<Vec<_>>()[..] {
        [index] => ("0", Lane::Persisted, index),
        [selector, "persisted", index] => (selector, Lane::Persisted, index),
        [_, "volatile", _] => return Err("the volatile lane is in no log: its updates are kept in memory".to_owned()),
        _ => return Err(malformed()),
    };
    let number = |digits: &str| digits.parse::<u16>().map_err(|_| malformed());
    Ok(PartitionId { selector: SelectorId(number(selector)?), lane, index: number(index)? })
}

fn link(text: &str) -> Result<Link, String> {
    Link::parse(text.trim_end_matches('/')).map_err(|error| error.to_string())
}

impl Args {
    /// Returns true if frames are shown.
    fn shows_frames(&self) -> bool {
        self.frames || self.partition.is_some() || self.from.is_some() || self.link.is_some()
    }
}

/// Runs `log`.
///
/// # Errors
/// A failure if the folder is none of a node, is in use, or has no log; if the log is damaged, after it was shown.
pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let data = DataFolder::look(&args.folder).map_err(|error| refused(&args.folder, &error))?;
    let (folder, identity) = match args.system {
        false => (data.log_path(), Some(data.log_identity())),
        true => (system_log(&args.folder)?, None),
    };
    let mut frames = Frames { args, terminal, shown: 0, unreadable: 0 };
    let inspection = inspect::inspect(&folder, identity, &mut |segment, lsn, frame| {
        if args.shows_frames() && lsn.0 >= args.from.unwrap_or(0) {
            frames.frame(segment, lsn, &frame);
        }
    });
    let Frames { shown, unreadable, .. } = frames;
    let inspection = inspection.map_err(|error| nothing(&error))?;
    if args.shows_frames() && terminal.format == Format::Table && shown > 0 {
        terminal.print("");
    }
    show_segments(&inspection, terminal);
    terminal.say(&summary(&folder, &inspection));
    if args.shows_frames() && shown == 0 {
        terminal.say("no frame is what was asked for");
    }
    ended(&inspection, unreadable)
}

/// Writes frames as they are read: there may be millions.
struct Frames<'a> {
    args: &'a Args,
    terminal: &'a mut Terminal,
    shown: u64,
    unreadable: u64,
}

impl Frames<'_> {
    fn frame(&mut self, segment: u64, lsn: Lsn, frame: &steward_storage::log::Frame) {
        let shown = Shown::of(frame, self.args.system);
        if !shown.concerns(frame, self.args.partition, self.args.link.as_ref()) {
            return;
        }
        self.unreadable += u64::from(shown.is_unreadable);
        if self.terminal.format == Format::Json {
            self.terminal.print(&shown.as_json(segment, lsn, frame).to_string());
        } else {
            if self.shown == 0 {
                self.terminal.print(log_frames::HEAD);
            }
            self.terminal.print(&shown.as_line(lsn, frame, self.args.partition));
        }
        self.shown += 1;
    }
}

fn show_segments(inspection: &Inspection, terminal: &mut Terminal) {
    if terminal.format == Format::Json {
        for segment in &inspection.segments {
            terminal.print(&as_json(segment).to_string());
        }
        return;
    }
    let mut table = Table::new(["segment", "bytes", "used", "first", "last", "state"]).standing(5);
    for segment in &inspection.segments {
        let frame =
            |which: fn((Lsn, Lsn)) -> Lsn| segment.frames.map_or("–".to_owned(), |it| which(it).0.to_string());
        table.row(vec![
            format!("{:x}", segment.number),
            thousands(segment.bytes),
            thousands(segment.used_bytes),
            frame(|(first, _)| first),
            frame(|(_, last)| last),
            state(segment.condition),
        ]);
    }
    terminal.print_table(&table);
}

fn state(condition: Condition) -> String {
    match condition {
        Condition::Whole => "whole".to_owned(),
        Condition::Unused => "unused, made ahead".to_owned(),
        Condition::Torn { at } => format!("torn end at byte {at}"),
        Condition::Damaged { at, .. } => format!("damaged at byte {at}"),
        Condition::Missing => "missing".to_owned(),
    }
}

fn as_json(segment: &Inspected) -> Value {
    let (name, at, reason) = match segment.condition {
        Condition::Whole => ("whole", None, None),
        Condition::Unused => ("unused", None, None),
        Condition::Torn { at } => ("torn", Some(at), None),
        Condition::Damaged { at, reason } => ("damaged", Some(at), Some(reason)),
        Condition::Missing => ("missing", None, None),
    };
    json!({
        "type": "segment", "schema": 1, "segment": segment.number, "bytes": segment.bytes, "usedBytes": segment.used_bytes,
        "groups": segment.groups, "firstLsn": segment.frames.map(|(first, _)| first.0),
        "lastLsn": segment.frames.map(|(_, last)| last.0), "state": name, "at": at, "reason": reason,
    })
}

fn summary(folder: &Path, inspection: &Inspection) -> String {
    let frames: u64 =
        inspection.segments.iter().filter_map(|it| it.frames).map(|(first, last)| last.0 - first.0 + 1).sum();
    let note = match inspection.note {
        Note::None => "no ledger".to_owned(),
        Note::Segments { oldest, newest } => format!("the ledger notes segments {oldest:x} to {newest:x}"),
        Note::Damaged => "the ledger is damaged".to_owned(),
    };
    format!("{}: {} frames; {note}", folder.display(), thousands(frames))
}

/// Returns how the command ends.
fn ended(inspection: &Inspection, unreadable: u64) -> Result<Exit, Failure> {
    let mut failure = Failure::new(Exit::Failed, "log-damaged", "the log is damaged: a node does not start on it");
    for segment in &inspection.segments {
        match segment.condition {
            Condition::Damaged { at, reason } => {
                failure = failure.detail(format!("segment {:x} at byte {at}: {reason}", segment.number));
            }
            Condition::Missing => failure = failure.detail(format!("segment {:x} is missing", segment.number)),
            Condition::Whole | Condition::Unused | Condition::Torn { .. } => {}
        }
    }
    match inspection.note {
        Note::Damaged => failure = failure.detail("the ledger beside the folder cannot be read"),
        Note::None | Note::Segments { .. } => {}
    }
    match (failure.details.is_empty(), unreadable) {
        (true, 0) => Ok(Exit::Done),
        (true, _) => {
            let message = format!("this steward does not read what {unreadable} of the frames say");
            Err(Failure::new(Exit::Failed, "log-unreadable", message).hint("use the steward that wrote the log"))
        }
        (false, _) => Err(failure.hint("restore the data folder from a backup; keep this one")),
    }
}

fn system_log(folder: &Path) -> Result<PathBuf, Failure> {
    match steward_node::inspect::log_folder(folder) {
        Ok(Some(log)) => Ok(log),
        Ok(None) => {
            let message = format!("no system group has begun in {}", folder.display());
            Err(Failure::new(Exit::NotFound, "no-log", message))
        }
        Err(error) => Err(Failure::new(Exit::Failed, "system-identity", error)),
    }
}

fn nothing(error: &inspect::Error) -> Failure {
    match error {
        inspect::Error::NoLog { .. } => Failure::new(Exit::NotFound, "no-log", error.to_string()),
        inspect::Error::Disk { .. } => Failure::new(Exit::Failed, "disk", error.to_string()),
    }
}

fn refused(folder: &Path, error: &format::Error) -> Failure {
    let failure = Failure::of_folder(error);
    match error {
        format::Error::InUse { .. } => failure.hint("stop it first: the log grows while it runs"),
        format::Error::Absent { .. } => match below(folder) {
            Some(node) => failure.hint(format!("a node keeps its folder below: steward log {}", node.display())),
            None => failure.hint("the folder of a node is the one that --data names: ./steward-data"),
        },
        format::Error::Foreign { .. }
        | format::Error::Newer { .. }
        | format::Error::Older { .. }
        | format::Error::Damaged { .. }
        | format::Error::LogGone { .. }
        | format::Error::Disk { .. } => failure,
    }
}

/// Returns a data folder right below `folder`, which keeps data folders then.
fn below(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.join("format.json").is_file())
}

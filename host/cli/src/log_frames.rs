//! The frames of a log, as lines of 80 columns and as JSON.

use serde_json::{Value, json};
use steward_model::update::{Change, Entry, Record, Update};
use steward_model::{Epoch, Lane, Link, Lsn, PartitionId, codec};
use steward_replication::checkpoint::Row;
use steward_storage::log::{Frame, FrameKind};

/// Stands above the lines.
pub(super) const HEAD: &str = "     LSN  KIND        PART  POSITION      BYTES  SAYS";

/// Columns left for what a frame says.
const SAYS_COLUMNS: usize = 31;

/// A frame that was read.
pub(super) struct Shown {
    words: String,
    fields: Value,
    rows: Vec<Row>,
    link: Option<Link>,
    /// True: its checksum is right, and this build does not understand it.
    pub(super) is_unreadable: bool,
}

impl Shown {
    /// Reads a frame, of the system group's log if `is_system`.
    pub(super) fn of(frame: &Frame, is_system: bool) -> Shown {
        let read = match is_system {
            true => steward_node::inspect::say(frame).map(|statement| Shown::plain(statement.words, statement.fields)),
            false => read(frame),
        };
        read.unwrap_or_else(|reason| {
            let fields = json!({"unreadable": reason});
            Shown { is_unreadable: true, ..Shown::plain(format!("unreadable: {reason}"), fields) }
        })
    }

    fn plain(words: String, fields: Value) -> Shown {
        Shown { words, fields, rows: Vec::new(), link: None, is_unreadable: false }
    }

    /// Returns true if the frame is about the partition and the document, as far as these were asked for.
    pub(super) fn concerns(&self, frame: &Frame, partition: Option<PartitionId>, link: Option<&Link>) -> bool {
        let of_partition = |wanted| {
            frame.partition == Some(wanted)
                || (frame.partition.is_none() && self.rows.iter().any(|row| row.partition == wanted))
        };
        partition.is_none_or(of_partition) && link.is_none_or(|link| self.link.as_ref() == Some(link))
    }

    /// Returns the frame as a line below [`HEAD`].
    pub(super) fn as_line(&self, lsn: Lsn, frame: &Frame, partition: Option<PartitionId>) -> String {
        let place = frame.partition.map_or("–".to_owned(), short);
        let position = frame.position.map_or("–".to_owned(), |position| position.to_string());
        let words = match self.rows.iter().find(|row| Some(row.partition) == partition) {
            Some(row) => row_words(row),
            None => self.words.clone(),
        };
        let (kind, bytes) = (frame.kind, frame.encoded_bytes());
        format!("{:>8}  {kind:<10}  {place:>4}  {position:<10}  {bytes:>7}  {}", lsn.0, fit(&words, &self.link))
    }

    /// Returns the frame for programs.
    pub(super) fn as_json(&self, segment: u64, lsn: Lsn, frame: &Frame) -> Value {
        json!({
            "type": "frame", "schema": 1, "segment": segment, "lsn": lsn.0, "kind": frame.kind.to_string(),
            "partition": frame.partition.map(|partition| partition.to_string()),
            "epoch": frame.position.map(|position| position.epoch.as_u64()),
            "offset": frame.position.map(|position| position.offset.0),
            "bytes": frame.encoded_bytes(), "says": self.fields,
        })
    }
}

/// Returns words and link in the columns that are left; of a long link the end is kept, which names the document.
fn fit(words: &str, link: &Option<Link>) -> String {
    let Some(link) = link.as_ref().map(Link::as_str) else { return words.chars().take(SAYS_COLUMNS).collect() };
    let room = SAYS_COLUMNS.saturating_sub(words.chars().count() + 1);
    let length = link.chars().count();
    if length <= room {
        return format!("{words} {link}");
    }
    let end: String = link.chars().skip(length - room.saturating_sub(1)).collect();
    format!("{words} …{end}")
}

/// Returns a partition as `--partition` takes it.
fn short(partition: PartitionId) -> String {
    match (partition.selector.0, partition.lane) {
        (0, Lane::Persisted) => partition.index.to_string(),
        (_, Lane::Persisted | Lane::Volatile) => partition.to_string(),
    }
}

fn read(frame: &Frame) -> Result<Shown, String> {
    let reason = |error: codec::Error| error.to_string();
    match frame.kind {
        FrameKind::Record => Ok(record(&codec::decode(&frame.payload).map_err(reason)?)),
        FrameKind::Promise => {
            let epoch: Epoch = codec::decode(&frame.payload).map_err(reason)?;
            Ok(Shown::plain(format!("epoch {epoch}"), json!({"promised": epoch.as_u64()})))
        }
        FrameKind::Checkpoint => Ok(checkpoint(codec::decode(&frame.payload).map_err(reason)?)),
        FrameKind::Vote | FrameKind::System => {
            Err("a frame of the system group in the log of the documents".to_owned())
        }
    }
}

fn record(record: &Record) -> Shown {
    let previous = record.previous.as_u64();
    match &record.entry {
        Entry::Marker => {
            Shown::plain("marker, a reign begins".to_owned(), json!({"entry": "marker", "previousEpoch": previous}))
        }
        Entry::Forget { tombstones_below, answers_below } => Shown::plain(
            format!("forget below {tombstones_below}, {answers_below}"),
            json!({
                "entry": "forget", "previousEpoch": previous,
                "tombstonesBelow": tombstones_below.0, "answersBelow": answers_below.0,
            }),
        ),
        Entry::Update(update) => {
            let words = format!("v{} {}", update.document.version.0, change(update).to_lowercase());
            let link = Some(update.document.link.clone());
            Shown { link, ..Shown::plain(words, update_fields(update, previous)) }
        }
    }
}

/// Returns what made a new version, or what happened instead.
fn change(update: &Update) -> &'static str {
    match update.change {
        Change::NewVersion => update.document.action.as_str(),
        Change::Renewal => "renewal",
        Change::None => "no change",
    }
}

fn update_fields(update: &Update, previous: u64) -> Value {
    let document = &update.document;
    let request: String = update.request.0.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "entry": "update", "previousEpoch": previous, "link": document.link.as_str(), "version": document.version.0,
        "change": change(update), "kind": document.kind, "updatedMicros": document.updated.0, "request": request,
        "expiresMicros": document.expires.0, "stateVersion": document.state_version, "bodyBytes": document.body.len(),
        "recordingBytes": document.recording.len(),
        "effects": update.effects.iter().map(|effect| effect.effect.to.as_str()).collect::<Vec<_>>(),
        "settled": update.settled.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "remembersAnswer": update.remembered.as_ref().map(|reply| reply.status),
    })
}

fn row_words(row: &Row) -> String {
    let applied = row.applied.map_or("nothing".to_owned(), |position| position.to_string());
    format!("applied {applied}, promised {}", row.promised)
}

fn checkpoint(rows: Vec<Row>) -> Shown {
    let applied = rows.iter().filter(|row| row.applied.is_some()).count();
    let words = format!("partitions: {}, {applied} with data", rows.len());
    let row = |row: &Row| {
        json!({
            "partition": row.partition.to_string(), "promised": row.promised.as_u64(), "latestMicros": row.latest.0,
            "appliedEpoch": row.applied.map(|position| position.epoch.as_u64()),
            "appliedOffset": row.applied.map(|position| position.offset.0),
        })
    };
    let fields = json!({"rows": rows.iter().map(row).collect::<Vec<_>>()});
    Shown { rows, ..Shown::plain(words, fields) }
}

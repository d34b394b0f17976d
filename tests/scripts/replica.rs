//! Runs commands on one replica core and writes down what it wants done. A script that begins with `cluster` talks to a whole
//! group instead, see [`crate::cluster`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use steward_model::partition::SelectorId;
use steward_model::update::{Change, Entry, Origin, Record, RequestId, Update};
use steward_model::{Document, Epoch, Lane, Link, Moment, Offset, PartitionId, Timestamp};
use steward_protocol::replica::{Append, Event, Lineage, LogOutline, Message, Recovered, Replica, Row, Settings};

use crate::cluster::Cluster;
use crate::notation::{Arguments, epoch, lineage, member, number, optional_position, position, positions};

/// The replica that a script talks to.
#[derive(Default)]
pub(crate) struct Interpreter {
    replica: Option<Replica>,
    cluster: Option<Cluster>,
}

impl Interpreter {
    /// Runs one command and returns its trace.
    pub(crate) fn run(&mut self, command: &str) -> Result<Vec<String>> {
        let mut words = command.split_whitespace();
        let name = words.next().context("command is empty")?;
        let mut arguments = Arguments::parse(words)?;
        if name == "cluster" {
            self.cluster = Some(Cluster::open(&mut arguments)?);
            arguments.finish()?;
            return Ok(vec![]);
        }
        if let Some(cluster) = &mut self.cluster {
            let trace = cluster.run(name, &mut arguments)?;
            arguments.finish()?;
            return Ok(trace);
        }
        let trace = match name {
            "open" => self.open(&mut arguments)?,
            "row" => self.tell(Event::TableChanged(row(&mut arguments)?))?,
            "promise-persisted" => self.tell(Event::PromisePersisted(arguments.take("epoch", epoch)?))?,
            "persisted" => self.tell(Event::Persisted(arguments.take("through", position)?))?,
            "promise" => {
                let epoch = arguments.take("epoch", epoch)?;
                let last = arguments.take("last", optional_position)?;
                let lineage = Lineage::from_entries(arguments.take_or("lineage", "", lineage)?)?;
                let log = LogOutline { lineage, last, start: Offset(0) };
                self.hear(&mut arguments, Message::Promise { epoch, log })?
            }
            "acknowledge" => {
                let epoch = arguments.take("epoch", epoch)?;
                let through = Some(arguments.take("through", position)?);
                let message = Message::Acknowledgement { epoch, through, committed: None, low: None, start: Offset(0) };
                self.hear(&mut arguments, message)?
            }
            "append" => {
                let message = Message::Append(append(&mut arguments)?);
                self.hear(&mut arguments, message)?
            }
            "ask-promise" => {
                let epoch = arguments.take("epoch", epoch)?;
                self.hear(&mut arguments, Message::PromiseRequest { epoch })?
            }
            "propose" => self.propose(&mut arguments)?,
            "admits" => vec![match self.replica()?.admits() {
                Ok(epoch) => format!("admitted in epoch {epoch}"),
                Err(reason) => reason.to_string(),
            }],
            "status" => self.status()?,
            _ => bail!("command {name} is unknown"),
        };
        arguments.finish()?;
        Ok(trace)
    }

    fn hear(&mut self, arguments: &mut Arguments<'_>, message: Message) -> Result<Vec<String>> {
        let from = arguments.take("from", member)?;
        self.tell(Event::Received { from, message })
    }

    fn replica(&mut self) -> Result<&mut Replica> {
        self.replica.as_mut().context("a script begins with open")
    }

    /// Opens a replica anew: the script says what the disk still has.
    fn open(&mut self, arguments: &mut Arguments<'_>) -> Result<Vec<String>> {
        let own = arguments.take("own", member)?;
        let lane = arguments.take_or("lane", "persisted", lane)?;
        let recovered = Recovered {
            promised: arguments.take_or("promised", "0", epoch)?,
            lineage: arguments.take_or("lineage", "", lineage)?,
            start: Offset(arguments.take_or("start", "0", number)?),
            last: arguments.take_or("last", "none", optional_position)?,
            applied: arguments.take_or("applied", "none", optional_position)?,
        };
        let partition = PartitionId { selector: SelectorId::default(), lane, index: 7 };
        match Replica::open(own, partition, Settings::default(), recovered) {
            Ok(replica) => {
                self.replica = Some(replica);
                self.status()
            }
            Err(error) => Ok(vec![format!("refused: {error}")]),
        }
    }

    /// Tells the replica of an event. A broken rule ends the script's replica, as it would end the process.
    fn tell(&mut self, event: Event) -> Result<Vec<String>> {
        let replica = self.replica()?;
        let before = replica.role();
        let mut effects = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| replica.handle(Moment(0), event, &mut effects)));
        if let Err(panic) = handled {
            self.replica = None;
            let text = panic.downcast_ref::<String>().map_or("without words", String::as_str);
            return Ok(vec![format!("panic: {text}")]);
        }
        let after = replica.role();
        let mut trace = Vec::new();
        if before != after {
            trace.push(format!("{before} -> {after}"));
        }
        trace.extend(effects.iter().map(|effect| format!("  {effect}")));
        if trace.is_empty() {
            trace.push("nothing".into());
        }
        Ok(trace)
    }

    /// Proposes a new version of a document, at the place that the replica names or at the one that the script claims.
    fn propose(&mut self, arguments: &mut Arguments<'_>) -> Result<Vec<String>> {
        let document = arguments.take("document", |text| Ok(Link::parse(text)?))?;
        let claimed = arguments.take_or("at", "none", optional_position)?;
        let place = match claimed {
            Some(position) => position,
            None => self.replica()?.next_position(),
        };
        let update = Update {
            change: Change::NewVersion,
            request: RequestId::default(),
            origin: Origin::default(),
            document: Document {
                epoch: place.epoch,
                offset: place.offset,
                body: bytes::Bytes::from_static(b"{}"),
                ..Document::bare(document, Timestamp(0))
            },
            keep_versions: None,
            effects: vec![],
            settled: vec![],
            remembered: None,
        };
        self.tell(Event::Proposed(Entry::Update(Box::new(update))))
    }

    fn status(&mut self) -> Result<Vec<String>> {
        Ok(vec![self.replica()?.status().to_string()])
    }
}

fn row(arguments: &mut Arguments<'_>) -> Result<Row> {
    Ok(Row {
        epoch: arguments.take("epoch", epoch)?,
        primary: arguments.take("primary", member)?,
        in_sync: arguments.take("in-sync", |text| text.split(',').map(member).collect())?,
        write_quorum: arguments.take("w", number)?,
        recovery_quorum: arguments.take("r", number)?,
        version: arguments.take_or("version", "1", number)?,
    })
}

/// Markers at these places: what records say does not matter to a core.
fn append(arguments: &mut Arguments<'_>) -> Result<Append> {
    let epoch = arguments.take("epoch", epoch)?;
    let previous = arguments.take("after", optional_position)?;
    let committed = arguments.take_or("committed", "none", optional_position)?.map(|position| position.offset);
    let mut before = previous.map_or(Epoch::ZERO, |previous| previous.epoch);
    let mut records = Vec::new();
    for position in arguments.take_or("records", "", positions)? {
        records.push(Arc::new(Record { position, previous: before, entry: Entry::Marker }));
        before = position.epoch;
    }
    Ok(Append { epoch, previous, records, committed, low: None })
}

pub(crate) fn lane(text: &str) -> Result<Lane> {
    match text {
        "persisted" => Ok(Lane::Persisted),
        "volatile" => Ok(Lane::Volatile),
        _ => bail!("a lane is persisted or volatile"),
    }
}

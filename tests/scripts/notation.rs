//! How scripts write the arguments of commands: epochs as `3` (or `incarnation.loss.ownership`), positions as
//! `epoch@offset`, members as `node.boot`, nothing as `none`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use steward_model::{Boot, Epoch, NodeId, Offset, Position};
use steward_protocol::replica::Member;

/// The arguments of one command, by name.
pub(crate) struct Arguments<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Arguments<'a> {
    /// Parses `name=value` words.
    pub(crate) fn parse(words: impl Iterator<Item = &'a str>) -> Result<Arguments<'a>> {
        let pairs = words.map(|word| word.split_once('=').with_context(|| format!("{word:?} is not name=value")));
        Ok(Arguments(pairs.collect::<Result<_>>()?))
    }

    /// Returns the value of `name`, or of `default` if it was not given.
    pub(crate) fn take_or<T>(&mut self, name: &str, default: &'a str, read: fn(&str) -> Result<T>) -> Result<T> {
        let text = self.0.remove(name).unwrap_or(default);
        read(text).with_context(|| format!("read {name}={text}"))
    }

    /// Returns the value of `name`.
    pub(crate) fn take<T>(&mut self, name: &str, read: fn(&str) -> Result<T>) -> Result<T> {
        let text = self.0.remove(name).with_context(|| format!("argument {name} is missing"))?;
        read(text).with_context(|| format!("read {name}={text}"))
    }

    /// Refuses arguments that nobody took.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.keys().next() {
            Some(name) => bail!("argument {name} is unknown"),
            None => Ok(()),
        }
    }
}

pub(crate) fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<T> {
    Ok(text.parse()?)
}

pub(crate) fn epoch(text: &str) -> Result<Epoch> {
    match text.split('.').collect::<Vec<_>>()[..] {
        [ownership] => Ok(Epoch { ownership: number(ownership)?, ..Epoch::ZERO }),
        [incarnation, loss, ownership] => {
            Ok(Epoch { incarnation: number(incarnation)?, loss: number(loss)?, ownership: number(ownership)? })
        }
        _ => bail!("an epoch has one number or three"),
    }
}

pub(crate) fn position(text: &str) -> Result<Position> {
    let (reign, offset) = text.split_once('@').context("a position is epoch@offset")?;
    Ok(Position { epoch: epoch(reign)?, offset: Offset(number(offset)?) })
}

pub(crate) fn optional_position(text: &str) -> Result<Option<Position>> {
    if text == "none" { Ok(None) } else { position(text).map(Some) }
}

pub(crate) fn positions(text: &str) -> Result<Vec<Position>> {
    text.split(',').filter(|entry| !entry.is_empty()).map(position).collect()
}

pub(crate) fn lineage(text: &str) -> Result<Vec<(Epoch, Offset)>> {
    let entries = text.split(',').filter(|entry| !entry.is_empty()).map(position);
    entries.map(|entry| entry.map(|position| (position.epoch, position.offset))).collect()
}

pub(crate) fn member(text: &str) -> Result<Member> {
    let (node, boot) = text.split_once('.').context("a member is node.boot")?;
    Ok(Member { node: NodeId(number(node)?), boot: Boot(number(boot)?) })
}

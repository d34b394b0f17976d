//! The messages of the kernel's FUSE protocol, as far as a disk of the tests needs them.
//!
//! They are written by hand. That is little code and needs no `unsafe`. Every crate that speaks FUSE changes the
//! features of dependencies that the host has too, and then the host would be compiled twice.
//!
//! ```text
//!  request: length u32, opcode u32, unique u64, node u64, uid u32, gid u32, pid u32, - u32, then what the opcode has
//!  answer:  length u32, error i32, unique u64, then what the opcode has
//! ```
//!
//! Numbers have the byte order of the machine. Source: `include/uapi/linux/fuse.h` of the Linux kernel, version 7.31.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;

/// Most bytes of one write.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// Bytes that a request may have: the longest is a write.
pub(super) const REQUEST_BYTES_MAX: usize = WRITE_BYTES_MAX as usize + (64 << 10);

const REQUEST_HEADER_BYTES: usize = 40;
const VERSION: (u32, u32) = (7, 31);

/// The kernel may remember names and sizes for so many seconds: nobody changes them behind its back.
const REMEMBER_SECONDS: u64 = 3600;

/// Space that a disk says it has, in blocks of 4 KiB: more than any test writes.
const BLOCKS: u64 = 1 << 28;

/// What the kernel asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask<'a> {
    Begin,
    /// Nothing waits for an answer.
    Note,
    /// An answer without contents is all that is wanted: opening, closing.
    Nod,
    Open,
    Space,
    Find(&'a OsStr),
    Attributes,
    Resize(Option<u64>),
    MakeFolder(&'a OsStr),
    MakeFile(&'a OsStr),
    Remove(&'a OsStr),
    Rename {
        from: &'a OsStr,
        folder: u64,
        to: &'a OsStr,
        replaces: bool,
    },
    Read {
        at: u64,
        bytes: u32,
    },
    Write {
        at: u64,
        bytes: &'a [u8],
    },
    Allocate {
        end: u64,
        is_plain: bool,
    },
    SyncFile,
    SyncFolder,
    Names {
        after: u64,
        bytes: u32,
    },
    /// Something that this disk has not.
    Other,
}

/// A request.
pub(super) struct Request<'a> {
    pub(super) unique: u64,
    pub(super) node: u64,
    pub(super) ask: Ask<'a>,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Returns the name that begins at `at`, and where the next one does.
fn name_at(bytes: &[u8], at: usize) -> Option<(&OsStr, usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((OsStr::from_bytes(&rest[..end]), at + end + 1))
}

impl<'a> Request<'a> {
    /// Reads a request; none if it is none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Request<'a>> {
        let (opcode, unique, node) = (u32_at(bytes, 4)?, u64_at(bytes, 8)?, u64_at(bytes, 16)?);
        Some(Request { unique, node, ask: ask(opcode, bytes.get(REQUEST_HEADER_BYTES..)?)? })
    }
}

fn ask(opcode: u32, body: &[u8]) -> Option<Ask<'_>> {
    Some(match opcode {
        1 => Ask::Find(name_at(body, 0)?.0),
        2 | 36 | 42 => Ask::Note,
        3 => Ask::Attributes,
        // Bit 3 says that the size is set.
        4 => Ask::Resize(if u32_at(body, 0)? & 8 != 0 { Some(u64_at(body, 16)?) } else { None }),
        9 => Ask::MakeFolder(name_at(body, 8)?.0),
        10 | 11 => Ask::Remove(name_at(body, 0)?.0),
        12 => rename(body, 8, true)?,
        14 | 27 => Ask::Open,
        15 => Ask::Read { at: u64_at(body, 8)?, bytes: u32_at(body, 16)? },
        16 => Ask::Write { at: u64_at(body, 8)?, bytes: body.get(40..)?.get(..u32_at(body, 16)? as usize)? },
        17 => Ask::Space,
        18 | 25 | 29 | 38 => Ask::Nod,
        20 => Ask::SyncFile,
        26 => Ask::Begin,
        28 => Ask::Names { after: u64_at(body, 8)?, bytes: u32_at(body, 16)? },
        30 => Ask::SyncFolder,
        35 => Ask::MakeFile(name_at(body, 16)?.0),
        43 => Ask::Allocate { end: u64_at(body, 8)? + u64_at(body, 16)?, is_plain: u32_at(body, 24)? == 0 },
        45 => rename(body, 16, u32_at(body, 8)? == 0)?,
        _ => Ask::Other,
    })
}

fn rename(body: &[u8], names_at: usize, replaces: bool) -> Option<Ask<'_>> {
    let (from, next) = name_at(body, names_at)?;
    Some(Ask::Rename { from, folder: u64_at(body, 0)?, to: name_at(body, next)?.0, replaces })
}

/// What is said about a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) node: u64,
    pub(super) bytes: u64,
    pub(super) is_folder: bool,
}

/// Bytes of an answer, behind its header.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    fn u16(mut self, number: u16) -> Answer {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u32(mut self, number: u32) -> Answer {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Answer {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn zeros(mut self, bytes: usize) -> Answer {
        self.0.resize(self.0.len() + bytes, 0);
        self
    }

    fn attributes_of(self, of: Attributes) -> Answer {
        let mode: u32 = if of.is_folder { 0o040_700 } else { 0o100_600 };
        let answer = self.u64(of.node).u64(of.bytes).u64(of.bytes.div_ceil(512)).zeros(36).u32(mode).u32(1);
        answer.u32(rustix::process::geteuid().as_raw()).u32(rustix::process::getegid().as_raw()).u32(0).u32(4096).u32(0)
    }

    /// Nothing but that it went well.
    pub(super) fn nothing() -> Answer {
        Answer::default()
    }

    /// To [`Ask::Begin`].
    pub(super) fn begun() -> Answer {
        // Large writes, and so many pages in one.
        let flags = 1 << 5 | 1 << 22;
        let answer = Answer::default().u32(VERSION.0).u32(VERSION.1).u32(128 << 10).u32(flags);
        answer.u16(16).u16(12).u32(WRITE_BYTES_MAX).u32(1).u16((WRITE_BYTES_MAX / 4096) as u16).u16(0).zeros(32)
    }

    /// To [`Ask::Open`].
    pub(super) fn opened() -> Answer {
        Answer::default().zeros(16)
    }

    /// To [`Ask::Find`] and [`Ask::MakeFolder`].
    pub(super) fn entry(of: Attributes) -> Answer {
        let answer = Answer::default().u64(of.node).u64(0).u64(REMEMBER_SECONDS).u64(REMEMBER_SECONDS).zeros(8);
        answer.attributes_of(of)
    }

    /// To [`Ask::MakeFile`].
    pub(super) fn made(of: Attributes) -> Answer {
        Answer::entry(of).zeros(16)
    }

    /// To [`Ask::Attributes`] and [`Ask::Resize`].
    pub(super) fn attributes(of: Attributes) -> Answer {
        Answer::default().u64(REMEMBER_SECONDS).zeros(8).attributes_of(of)
    }

    /// To [`Ask::Read`].
    pub(super) fn read(bytes: Vec<u8>) -> Answer {
        Answer(bytes)
    }

    /// To [`Ask::Write`].
    pub(super) fn written(bytes: usize) -> Answer {
        Answer::default().u32(bytes as u32).u32(0)
    }

    /// To [`Ask::Space`].
    pub(super) fn space() -> Answer {
        let answer = [BLOCKS; 5].into_iter().fold(Answer::default(), Answer::u64);
        answer.u32(4096).u32(255).u32(4096).zeros(28)
    }

    /// To [`Ask::Names`]: takes one more name, unless the answer would be longer than `bytes`.
    pub(super) fn add_name(&mut self, bytes: u32, place: u64, name: &OsStr, of: Attributes) -> bool {
        let padded = (24 + name.len()).next_multiple_of(8);
        if self.0.len() + padded > bytes as usize {
            return false;
        }
        let kind = if of.is_folder { 4 } else { 8 };
        let mut answer = Answer(std::mem::take(&mut self.0)).u64(of.node).u64(place).u32(name.len() as u32).u32(kind);
        answer.0.extend(name.as_bytes());
        *self = answer.zeros(padded - 24 - name.len());
        true
    }
}

/// Sends an answer. Whoever asked may be gone: nobody is told then.
pub(super) fn send(mut device: &std::fs::File, unique: u64, answer: Result<Answer, Errno>) {
    let (error, body) = match answer {
        Ok(Answer(body)) => (0, body),
        Err(errno) => (-errno.raw_os_error(), Vec::new()),
    };
    let mut message = Answer::default().u32(16 + body.len() as u32).u32(error as u32).u64(unique).0;
    message.extend(body);
    let _ = device.write_all(&message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_sizes_of_the_protocol() {
        let of = Attributes { node: 1, bytes: 2, is_folder: false };
        let sizes = [
            Answer::begun(),
            Answer::entry(of),
            Answer::made(of),
            Answer::attributes(of),
            Answer::space(),
            Answer::written(3),
        ]
        .map(|answer| answer.0.len());
        assert_eq!(sizes, [64, 128, 144, 104, 80, 8]);
    }

    #[test]
    fn requests_that_end_too_early_are_none() {
        let mut bytes = vec![0; REQUEST_HEADER_BYTES];
        bytes[4] = 12;
        bytes.extend([0; 8]);
        bytes.extend(b"from\0to\0");
        let request = Request::read(&bytes).expect("a request");
        assert!(matches!(request.ask, Ask::Rename { from, to, .. } if from == "from" && to == "to"));
        for end in 0..bytes.len() {
            assert!(Request::read(&bytes[..end]).is_none(), "{end}");
        }
    }
}

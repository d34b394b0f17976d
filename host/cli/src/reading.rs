//! What people name on the command line, read whole: files and streams, and never without end.

use std::fs::File;
use std::io::Read;

use steward_node::config::quantity::show_size;
use steward_node::config::whole;

use super::error::{Exit, Failure};

/// The most that any setting lets a host take at once: a module.
pub(crate) const BYTES_MAX: u64 = steward_node::config::MODULE_BYTES_MAX;

/// The most that any setting lets a host take as a text: the body of a request.
const TEXT_BYTES_MAX: u64 = steward_node::config::REQUEST_BYTES_MAX;

/// What stands for standard input among the names of files.
pub(super) const STANDARD_INPUT: &str = "-";

/// Reads a file, or standard input for `-`, of at most [`BYTES_MAX`].
///
/// # Errors
/// A failure if it cannot be read or is no file, or if there is more in it.
pub(super) fn bytes(name: &str) -> Result<Vec<u8>, Failure> {
    bytes_up_to(name, BYTES_MAX)
}

fn bytes_up_to(name: &str, most: u64) -> Result<Vec<u8>, Failure> {
    if name == STANDARD_INPUT {
        return limited("standard input", std::io::stdin(), most);
    }
    let unreadable = |error| Failure::unreadable(name, &error);
    let kind = std::fs::metadata(name).map_err(unreadable)?.file_type();
    // A pipe is what a shell makes of `<(command)`; devices may have no end, and opening one may wait for ever or do something.
    if !kind.is_file() && !is_pipe(kind) && !kind.is_dir() {
        let refused = Failure::usage(format!("cannot read {name}: it is no file but a device"));
        return Err(refused.hint("name a file, or - for standard input"));
    }
    limited(name, File::open(name).map_err(unreadable)?, most)
}

/// Reads a text, as [`bytes`] does, of at most [`TEXT_BYTES_MAX`].
///
/// # Errors
/// As [`bytes`], or if it is no UTF-8.
pub(super) fn text(name: &str) -> Result<String, Failure> {
    let shown = if name == STANDARD_INPUT { "standard input" } else { name };
    let no_text = |error: std::string::FromUtf8Error| {
        Failure::unreadable(shown, &std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    };
    String::from_utf8(bytes_up_to(name, TEXT_BYTES_MAX)?).map_err(no_text)
}

fn limited(name: &str, from: impl Read, most: u64) -> Result<Vec<u8>, Failure> {
    whole::read(from, most).map_err(|error| Failure::unreadable(name, &error))?.ok_or_else(|| {
        let message = format!("{name} has more than {}, which no host takes", show_size(most));
        Failure::new(Exit::Invalid, "too-large", message)
    })
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        assert_eq!(limited("ten", &[7; 10][..], 10).expect("it fits"), [7; 10]);
        let refused = limited("zeros", std::io::repeat(0), 10).expect_err("there is no end");
        assert_eq!(
            (refused.exit, refused.message.as_str()),
            (Exit::Invalid, "zeros has more than 10 B, which no host takes")
        );
    }
}

//! Reading what somebody has named, whole and within a bound: what is named by mistake may be a device that has no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::quantity::show_size;

/// Returns all that comes; none if that is more than `most` bytes, of which one more than that is read then.
///
/// # Errors
/// Those of reading.
pub fn read(from: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    from.take(most + 1).read_to_end(&mut read)?;
    Ok((read.len() as u64 <= most).then_some(read))
}

/// Returns the text in what stands at `path`, which may be a pipe.
///
/// # Errors
/// Those of opening and reading; also if it has more than `most` bytes, or is no UTF-8.
pub fn text_at(path: &Path, most: u64) -> io::Result<String> {
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {}", show_size(most)));
    let text = read(File::open(path)?, most)?.ok_or_else(too_long)?;
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Returns the text of a file, as [`text_at`] does.
///
/// # Errors
/// As [`text_at`]; also if it is no file. Devices may have no end, and opening one may wait for ever or do something.
pub fn text_of_file(path: &Path, most: u64) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    text_at(path, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        assert_eq!(read(&[7; 10][..], 10).expect("it is read"), Some(vec![7; 10]));
        assert_eq!(read(io::repeat(0), 10).expect("it is read"), None);
    }
}

//! Reading what somebody has named, whole and within a bound: what is named by mistake may be a device that has no end.

use std::io::{self, Read};

/// Returns all that comes; none if that is more than `most` bytes, of which one more than that is read then.
///
/// # Errors
/// Those of reading.
pub fn read(from: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    from.take(most + 1).read_to_end(&mut read)?;
    Ok((read.len() as u64 <= most).then_some(read))
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

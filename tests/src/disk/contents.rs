//! The contents of a file, in pages. Copies share a page until one of them writes to it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a page.
pub(super) const PAGE_BYTES: u64 = 4096;

/// Bytes that a disk writes whole.
pub(super) const SECTOR_BYTES: u64 = 512;

type Page = [u8; PAGE_BYTES as usize];

const ZEROS: Page = [0; PAGE_BYTES as usize];

/// Contents of a file. A page that is not there is zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    pub(super) bytes: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Contents {
    /// Returns up to `bytes` bytes from `at` on; less at the end of the file.
    pub(super) fn read(&self, at: u64, bytes: u64) -> Vec<u8> {
        let end = self.bytes.min(at.saturating_add(bytes));
        let mut read = vec![0; end.saturating_sub(at) as usize];
        if read.is_empty() {
            return read;
        }
        for (number, page) in self.pages.range(at / PAGE_BYTES..=(end - 1) / PAGE_BYTES) {
            let start = number * PAGE_BYTES;
            let (from, to) = (at.max(start), end.min(start + PAGE_BYTES));
            read[(from - at) as usize..(to - at) as usize]
                .copy_from_slice(&page[(from - start) as usize..(to - start) as usize]);
        }
        read
    }

    /// Writes, and makes the file longer if it must be.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let mut from = at;
        while from < end {
            let number = from / PAGE_BYTES;
            let start = number * PAGE_BYTES;
            let to = end.min(start + PAGE_BYTES);
            let part = &bytes[(from - at) as usize..(to - at) as usize];
            let place = (from - start) as usize..(to - start) as usize;
            match self.pages.get_mut(&number) {
                Some(page) => Arc::make_mut(page)[place].copy_from_slice(part),
                // Logs are zeroed before they are used: pages of zeros cost nothing.
                None if part == &ZEROS[..part.len()] => {}
                None => {
                    let mut page = ZEROS;
                    page[place].copy_from_slice(part);
                    self.pages.insert(number, Arc::new(page));
                }
            }
            from = to;
        }
        self.bytes = self.bytes.max(end);
    }

    /// Cuts the file, or makes it longer with zeros.
    pub(super) fn resize(&mut self, bytes: u64) {
        if bytes < self.bytes {
            drop(self.pages.split_off(&bytes.div_ceil(PAGE_BYTES)));
            let within = (bytes % PAGE_BYTES) as usize;
            if let Some(page) = self.pages.get_mut(&(bytes / PAGE_BYTES)) {
                Arc::make_mut(page)[within..].fill(0);
            }
        }
        self.bytes = bytes;
    }

    /// Makes a page what it is in `other`.
    pub(super) fn take_page(&mut self, number: u64, other: &Contents) {
        match other.pages.get(&number) {
            Some(page) => self.pages.insert(number, Arc::clone(page)),
            None => self.pages.remove(&number),
        };
    }

    /// Makes a sector what it is in `other`, as far as this file reaches.
    pub(super) fn take_sector(&mut self, at: u64, other: &Contents) {
        let end = self.bytes.min(at + SECTOR_BYTES);
        if at < end {
            let mut sector = other.read(at, end - at);
            sector.resize((end - at) as usize, 0);
            self.write(at, &sector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_copies_stay_as_they_were() {
        let mut contents = Contents::default();
        contents.write(4090, b"across two pages");
        let before = contents.clone();
        contents.write(4096, b"X");
        assert_eq!(contents.read(4090, 100), b"acrossXtwo pages");
        assert_eq!(before.read(4090, 100), b"across two pages");
        assert_eq!(contents.read(0, 3), [0; 3]);
        assert_eq!(contents.bytes, 4106);
        assert_eq!(contents.read(5000, 10), b"");
    }

    #[test]
    fn what_was_cut_off_is_zeros_when_the_file_grows_again() {
        let mut contents = Contents::default();
        contents.write(0, &[7; 10_000]);
        contents.resize(5000);
        contents.resize(9000);
        assert_eq!(contents.read(4999, 2), [7, 0]);
        assert_eq!(contents.read(8999, 10), [0]);
    }
}

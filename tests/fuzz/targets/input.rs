//! Values out of bytes, for targets that need something well formed: whatever the bytes are, there is a value.

use steward_model::partition::SelectorId;
use steward_model::{Lane, Link, PartitionId};
use steward_storage::keys::Space;

/// Characters of made links: few, so that links often lie beside and below one another.
const LINK_CHARACTERS: [u8; 8] = *b"/ab!~-_9";

/// Bytes that are used up from the front; zeros follow them.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    pub(crate) fn wide(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// Returns up to 255 bytes, of which the first byte says how many.
    pub(crate) fn run(&mut self) -> &[u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (run, rest) = self.0.split_at(length);
        self.0 = rest;
        run
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.run()).into_owned()
    }

    pub(crate) fn link(&mut self) -> Link {
        let mut text = String::from("/");
        for byte in self.run() {
            let character = char::from(LINK_CHARACTERS[usize::from(*byte) % LINK_CHARACTERS.len()]);
            if character != '/' || !text.ends_with('/') {
                text.push(character);
            }
        }
        let text = if text.len() > 1 { text.trim_end_matches('/') } else { &text };
        Link::parse(text).expect("made of what links are made of")
    }

    pub(crate) fn space(&mut self) -> Space {
        let generation = u32::from_be_bytes(self.array());
        let lane = if self.byte().is_multiple_of(2) { Lane::Persisted } else { Lane::Volatile };
        let [selector, index] = [self.array(), self.array()].map(u16::from_be_bytes);
        Space { generation, partition: PartitionId { selector: SelectorId(selector), lane, index } }
    }
}

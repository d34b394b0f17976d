//! The digest that names a guest module.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of the bytes of a component: the name of a guest module for ever. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text is not the digest of a module; it carries that text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("module digest {0:?} is not 64 hexadecimal digits")]
pub struct Error(String);

impl Digest {
    /// Returns the digest of a component.
    pub fn of(component: &[u8]) -> Digest {
        Digest(Sha256::digest(component).into())
    }

    /// Parses 64 hexadecimal digits, with or without the prefix `sha256:`.
    ///
    /// # Errors
    /// [`Error`] if the text is anything else.
    pub fn parse(text: &str) -> Result<Digest, Error> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let refused = || Error(text.to_owned());
        if digits.len() != 64 {
            return Err(refused());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16).ok_or_else(refused)?;
            let low = (pair[1] as char).to_digit(16).ok_or_else(refused)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(Digest(bytes))
    }

    /// Returns the first twelve digits, which are enough for people to tell modules apart. Never a key.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        Digest::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_written_as_sha256sum_writes_it() {
        let digest = Digest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse(&format!("sha256:{text}")), Ok(digest));
        assert!(Digest::parse("sha256:xyz").is_err());
    }
}

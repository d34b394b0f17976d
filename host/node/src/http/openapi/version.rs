//! The versions of OpenAPI in which the document can be written.

use crate::http::error::Error;

/// The query parameter that chooses one.
pub(super) const PARAMETER: &str = "v";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1, which all programs read.
    First,
    /// 3.2, which has the method QUERY.
    Second,
}

impl Version {
    /// Returns the version that a client asks for; 3.1 if it does not say.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the one that may have been meant.
    pub(super) fn wanted(said: Option<&str>) -> Result<Version, Error> {
        let Some(said) = said else { return Ok(Version::First) };
        match said {
            "3.1" => Ok(Version::First),
            "3.2" => Ok(Version::Second),
            other => {
                let meant = if other.starts_with("3.2") { "3.2" } else { "3.1" };
                let reason = format!("is {other:?}: did you mean {meant}? 3.1 and 3.2 are written");
                Err(Error::Parameter { name: PARAMETER, reason })
            }
        }
    }

    /// Returns the number as the document has it.
    pub(super) fn number(self) -> &'static str {
        match self {
            Version::First => "3.1.1",
            Version::Second => "3.2.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_refused_with_the_nearest() {
        assert_eq!(Version::wanted(Some("3.2")).ok(), Some(Version::Second));
        for (said, meant) in [("3.0", "did you mean 3.1?"), ("3.2.0", "did you mean 3.2?"), ("", "did you mean 3.1?")] {
            let refused = Version::wanted(Some(said)).expect_err("must be refused").to_string();
            assert!(refused.contains(meant), "{refused}");
        }
    }
}

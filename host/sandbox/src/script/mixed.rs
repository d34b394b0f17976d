//! Why files of different languages are no script.

/// Files of a script that one interpreter cannot run together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{foreign} is {found}, and the script of {first} is {language}: one script is run by one interpreter, make two services of them"
)]
pub struct Mixed {
    /// The file with the service.
    pub first: String,
    /// The language of the script.
    pub language: &'static str,
    /// The file that does not belong there.
    pub foreign: String,
    /// What its name says that it is.
    pub found: &'static str,
}

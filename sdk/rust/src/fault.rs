//! Why a handler refuses. The host turns a fault into a problem document, and nothing has happened.

use std::fmt;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// A stable, short name in kebab case, such as `validation`.
    pub code: String,
    /// What was wrong, and what would be right.
    pub message: String,
    /// JSON pointer to the field at fault, or empty.
    pub pointer: String,
}

/// The result of a handler.
pub type Result<T = (), E = Fault> = std::result::Result<T, E>;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)?;
        if self.pointer.is_empty() { Ok(()) } else { write!(f, " (at {})", self.pointer) }
    }
}

impl std::error::Error for Fault {}

/// Refuses with a status, a code and a message.
pub fn refused(status: u16, code: &str, message: impl Into<String>) -> Fault {
    Fault { status, code: code.to_owned(), message: message.into(), pointer: String::new() }
}

/// Refuses with 400: the field that `pointer` names has a value that cannot be. A leading slash may be left out.
///
/// ```
/// # use steward_sdk::invalid;
/// assert_eq!(invalid("items/0/title", "must not be blank").pointer, "/items/0/title");
/// ```
pub fn invalid(pointer: &str, message: impl Into<String>) -> Fault {
    let slash = if pointer.is_empty() || pointer.starts_with('/') { "" } else { "/" };
    Fault { pointer: format!("{slash}{pointer}"), ..refused(400, "validation", message) }
}

/// Refuses with 409: the state does not allow it.
pub fn conflict(message: impl Into<String>) -> Fault {
    refused(409, "conflict", message)
}

/// Refuses with 403: whoever asks may not.
pub fn forbidden(message: impl Into<String>) -> Fault {
    refused(403, "forbidden", message)
}

/// Refuses with 404: the part that was asked for is not there.
pub fn not_found(message: impl Into<String>) -> Fault {
    refused(404, "not-found", message)
}

/// Turns "nothing" and foreign errors into faults.
pub trait OrFault<T> {
    /// Returns the value, or refuses with 409 and the message.
    ///
    /// # Errors
    /// [`conflict`] if there is no value.
    fn or_conflict(self, message: &str) -> Result<T>;

    /// Returns the value, or refuses with 400 at the field.
    ///
    /// # Errors
    /// [`invalid`] if there is no value.
    fn or_invalid(self, pointer: &str, message: &str) -> Result<T>;

    /// Returns the value, or refuses with 404.
    ///
    /// # Errors
    /// [`not_found`] if there is no value.
    fn or_not_found(self, message: &str) -> Result<T>;
}

impl<T> OrFault<T> for Option<T> {
    fn or_conflict(self, message: &str) -> Result<T> {
        self.ok_or_else(|| conflict(message))
    }

    fn or_invalid(self, pointer: &str, message: &str) -> Result<T> {
        self.ok_or_else(|| invalid(pointer, message))
    }

    fn or_not_found(self, message: &str) -> Result<T> {
        self.ok_or_else(|| not_found(message))
    }
}

impl<T, E: fmt::Display> OrFault<T> for std::result::Result<T, E> {
    fn or_conflict(self, message: &str) -> Result<T> {
        self.map_err(|error| conflict(format!("{message}: {error}")))
    }

    fn or_invalid(self, pointer: &str, message: &str) -> Result<T> {
        self.map_err(|error| invalid(pointer, format!("{message}: {error}")))
    }

    fn or_not_found(self, message: &str) -> Result<T> {
        self.map_err(|error| not_found(format!("{message}: {error}")))
    }
}

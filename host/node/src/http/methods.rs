//! The methods of a place, in one table with what each of them does there: what is answered and what `Allow` lists cannot differ.

use http::Method;

/// The methods of a place, and what each of them does there.
pub(super) struct Methods<Act: 'static>(pub(super) &'static [(&'static str, Act)]);

/// Methods of places that only tell.
pub(super) const READ_ONLY: Methods<()> = Methods(&[("GET", ()), ("HEAD", ())]);

impl<Act: Copy> Methods<Act> {
    /// Returns the methods as `Allow` lists them.
    pub(super) fn allowed(&self) -> String {
        let names = self.0.iter().map(|(name, _)| *name).chain(["OPTIONS"]);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Returns what `method` does; none if it is none of them.
    pub(super) fn wanted(&self, method: &Method) -> Option<Act> {
        self.0.iter().find(|(name, _)| *name == method.as_str()).map(|(_, act)| *act)
    }
}

/// Returns true if a method is one of those that `Allow` lists.
pub(super) fn is_listed(allowed: &str, method: &Method) -> bool {
    allowed.split(", ").any(|one| one == method.as_str())
}

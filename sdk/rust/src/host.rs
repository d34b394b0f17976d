//! The capabilities of a guest: the imports of the world in a component, those of the mock host in a native test.
//!
//! In a component each import is called directly and by name, so a guest imports only what it uses. It always imports
//! the log, to say why it broke.

/// How urgent a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Each step.
    Trace,
    /// A branch not usually taken.
    Debug,
    /// A rare change of state.
    Info,
    /// Someone should look tomorrow.
    Warn,
    /// Something broke.
    Error,
}

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::{log, query, read, stat};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{Surroundings, log, query, read, stat, within};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::Level;
    use crate::fault::{Result, refused};

    /// What a native test puts in the place of the host.
    pub(crate) trait Surroundings {
        fn log(&self, level: Level, message: &str, fields: &str);
        fn read(&self, link: &str) -> Result<String>;
        fn query(&self, spec: &str) -> Result<String>;
        fn stat(&self, name: &str, value: f64);
    }

    thread_local! {
        static SURROUNDINGS: RefCell<Option<Rc<dyn Surroundings>>> = const { RefCell::new(None) };
    }

    /// Runs `call`, during which the capabilities are those of `surroundings`.
    pub(crate) fn within<T>(surroundings: Rc<dyn Surroundings>, call: impl FnOnce() -> T) -> T {
        let before = SURROUNDINGS.replace(Some(surroundings));
        let result = call();
        SURROUNDINGS.replace(before);
        result
    }

    fn surroundings() -> Option<Rc<dyn Surroundings>> {
        SURROUNDINGS.with_borrow(Clone::clone)
    }

    pub(crate) fn log(level: Level, message: &str, fields: &str) {
        if let Some(host) = surroundings() {
            host.log(level, message, fields);
        }
    }

    pub(crate) fn read(link: &str) -> Result<String> {
        match surroundings() {
            Some(host) => host.read(link),
            None => Err(refused(503, "no-host", format!("cannot read {link}: there is no host around this call"))),
        }
    }

    pub(crate) fn query(spec: &str) -> Result<String> {
        match surroundings() {
            Some(host) => host.query(spec),
            None => Err(refused(503, "no-host", "cannot query: there is no host around this call")),
        }
    }

    pub(crate) fn stat(name: &str, value: f64) {
        if let Some(host) = surroundings() {
            host.stat(name, value);
        }
    }
}

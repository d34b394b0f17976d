//! Opening a state store that may be damaged: as it is, repaired, or as a new and empty one.

use std::path::{Path, PathBuf};

use super::{Error, FjallStore, Options};
use super::{marks, notes};

/// A store that could not be opened and was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// What was damaged, or why the store was condemned.
    pub reason: String,
    /// The folder in which it lies now; nothing of it was deleted.
    pub moved_to: PathBuf,
}

/// A store that can be used, and what was done to it for that.
pub struct Opened {
    /// The store, made anew if the one before was put aside.
    pub store: FjallStore,
    /// None: the store has its contents. Else it is new and empty, because the one before was damaged; everything must
    /// be replayed or synchronized.
    pub was_reset: Option<Reset>,
    /// None: nothing had to be repaired. Else what was damaged: the end of the journal was cut off, and the store is as
    /// it was at the last checkpoint or later.
    pub was_repaired: Option<String>,
}

/// Opens the store in the folder `path`. A damaged one is repaired if what is damaged is in the commit log as well, and
/// otherwise moved aside and replaced by an empty one. So is one that was [condemned](super::StateStore::condemn).
///
/// # Errors
/// Those that are no damage: no permission, no space, another process uses it.
pub fn open_or_reset(path: &Path, options: &Options) -> Result<Opened, Error> {
    let reason = match FjallStore::open(path, options.clone()) {
        Ok(store) => return Ok(Opened { store, was_reset: None, was_repaired: None }),
        Err(Error::Damaged(reason)) => reason,
        Err(other) => return Err(other),
    };
    tracing::warn!(path = %path.display(), reason, "state store is damaged, looking for what can be kept");
    let condemned = notes::condemned(path).is_some();
    if !condemned && let Some(store) = repair(path, options)? {
        return Ok(Opened { store, was_reset: None, was_repaired: Some(reason) });
    }
    let moved_to = move_aside(path).map_err(|source| Error::Disk { what: "move aside", source })?;
    tracing::warn!(moved_to = %moved_to.display(), reason, "state store is damaged, starting with an empty one");
    let store = FjallStore::open(path, options.clone())?;
    Ok(Opened { store, was_reset: Some(Reset { reason, moved_to }), was_repaired: None })
}

/// Tries to open with a shorter and shorter journal, on a copy of it, so that nothing is lost if that does not help.
fn repair(path: &Path, options: &Options) -> Result<Option<FjallStore>, Error> {
    let disk = |source| Error::Disk { what: "repair", source };
    let Ok(Some((journal, cuts))) = marks::cuts(path) else { return Ok(None) };
    let saved = journal.with_extension("damaged");
    std::fs::copy(&journal, &saved).map_err(disk)?;
    for at in cuts {
        std::fs::copy(&saved, &journal).map_err(disk)?;
        marks::cut(&journal, at).map_err(disk)?;
        if let Ok(store) = FjallStore::open(path, options.clone()) {
            return Ok(Some(store));
        }
    }
    std::fs::rename(&saved, &journal).map_err(disk)?;
    Ok(None)
}

fn move_aside(path: &Path) -> std::io::Result<PathBuf> {
    let name = path.file_name().map_or_else(|| "state".into(), |name| name.to_string_lossy().into_owned());
    let free = (1..).map(|number: u32| path.with_file_name(format!("{name}.damaged-{number}")));
    let target = free.into_iter().find(|target| !target.exists()).expect("numbers do not run out");
    std::fs::rename(path, &target)?;
    Ok(target)
}

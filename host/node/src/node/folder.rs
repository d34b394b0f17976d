//! The data folder of a node: where it is, whose it is, and the name of the node that lives in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use steward_model::Timestamp;
use steward_model::node::{HostId, StoreId};
use steward_sandbox::Config;
use steward_storage::format::DataFolder;
use steward_storage::lasting;
use tempfile::TempDir;
use uuid::Uuid;

use crate::config::Options;

const ID_FILE: &str = "id";

/// A data folder that this process holds.
pub(super) struct Folder {
    data: DataFolder,
    host_id: HostId,
    /// Removed with everything in it when the node ends, if the node is ephemeral.
    _temporary: Option<TempDir>,
}

impl Folder {
    /// Takes the folder that the options name.
    ///
    /// # Errors
    /// If it cannot be used: another process has it, it is of something else, or of a node with another id.
    pub(super) fn open(options: &Options, now: Timestamp) -> anyhow::Result<Folder> {
        let temporary = match options.ephemeral {
            true => Some(tempfile::Builder::new().prefix("steward-").tempdir().context("make a temporary folder")?),
            false => None,
        };
        let path = temporary.as_ref().map_or_else(|| options.data.clone(), |folder| folder.path().join("data"));
        let data = DataFolder::open(&path, now, StoreId(Uuid::new_v4().as_u128()))?;
        let host_id = host_id(data.path(), options.id.as_ref())?;
        Ok(Folder { data, host_id, _temporary: temporary })
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        self.data.path()
    }

    /// Returns the folder in which the state store lies.
    pub(super) fn state_path(&self) -> PathBuf {
        self.data.state_path()
    }

    /// Returns the folder in which the commit log lies.
    pub(super) fn log_path(&self) -> PathBuf {
        self.data.log_path()
    }

    /// Returns the file in which is noted which segments the commit log has.
    pub(super) fn ledger_path(&self) -> PathBuf {
        self.data.log_ledger_path()
    }

    /// Returns nothing if the commit log is where it was left.
    ///
    /// # Errors
    /// If it is gone.
    pub(super) fn check_log(&self) -> anyhow::Result<()> {
        Ok(self.data.check_log()?)
    }

    /// Notes that there is a commit log from now on.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn note_log(&self) -> anyhow::Result<()> {
        Ok(self.data.note_log()?)
    }

    /// Returns the name by which the commit log knows its segments.
    pub(super) fn log_identity(&self) -> u64 {
        self.data.log_identity()
    }

    /// Returns the name of what is stored there.
    pub(super) fn store_id(&self) -> StoreId {
        self.data.store()
    }

    /// Returns the name of the node.
    pub(super) fn host_id(&self) -> &HostId {
        &self.host_id
    }

    /// Returns how guests run in this node.
    ///
    /// # Errors
    /// If the system does not tell which program this process runs.
    pub(super) fn sandbox_config(&self, options: &Options) -> anyhow::Result<Config> {
        let usual = Config::default();
        Ok(Config {
            cache_folder: Some(options.code_cache.clone().unwrap_or_else(|| self.path().join("code"))),
            cache_bytes_max: options.code_cache_bytes,
            modules: options.modules.clone(),
            compiler: Some(own_program()?),
            share_percent: options.guest_share_percent,
            instances_max: options.guest_instances,
            call_deadline: options.guest_deadline,
            call_deadline_max: usual.call_deadline_max.max(options.guest_deadline),
            memory_bytes_max: options.guest_memory_bytes,
            document_bytes_max: options.max_request_bytes,
            ..usual
        })
    }
}

/// Returns the program of this process.
fn own_program() -> anyhow::Result<PathBuf> {
    // On Linux under the name that means this very program, also when an upgrade has put another in the place of its file.
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("find the program that compiles guests, which is this one")
}

/// Returns the id that was asked for, else the one kept in the folder, else a new one; keeps it in the folder.
fn host_id(folder: &Path, wanted: Option<&HostId>) -> anyhow::Result<HostId> {
    let path = folder.join(ID_FILE);
    let kept = match std::fs::read_to_string(&path) {
        Ok(text) => {
            Some(HostId::parse(text.trim()).with_context(|| format!("read the node's id in {}", path.display()))?)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    match (wanted, kept) {
        (Some(wanted), Some(kept)) if *wanted != kept => bail!(
            "folder {} belongs to node {kept}, not to {wanted}: start with --id {kept}, or choose another --data",
            folder.display()
        ),
        (_, Some(kept)) => Ok(kept),
        (wanted, None) => {
            let random = || HostId::parse(&format!("node-{}", &Uuid::new_v4().simple().to_string()[..8]));
            let id = wanted.cloned().map_or_else(random, Ok).context("make an id for the node")?;
            let kept = lasting::replace(&path, format!("{id}\n").as_bytes());
            kept.with_context(|| format!("keep the node's id in {}", path.display()))?;
            Ok(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_id_and_refuses_another() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = host_id(folder.path(), None).expect("a new id");
        assert_eq!(host_id(folder.path(), None).expect("the kept id"), first);
        assert_eq!(host_id(folder.path(), Some(&first)).expect("the same id"), first);
        let other = HostId::parse("other").expect("a valid id");
        let refused = host_id(folder.path(), Some(&other)).expect_err("another id is refused");
        assert!(refused.to_string().contains(first.as_str()), "{refused}");
    }
}

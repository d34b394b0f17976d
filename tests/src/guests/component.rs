//! Makes a component of a core module.

use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, DecodedWasm};

use super::{Error, io_error};

/// A guest, ready to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Name of the guest.
    pub name: &'static str,
    /// Where the component lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The interfaces that it imports. `types` holds types only; `host` is there if the guest calls its host.
    pub imports: Vec<String>,
}

/// Makes the component, unless it is newer than its module.
pub(super) fn component(name: &'static str, module: &Path, component: &Path) -> Result<Built, Error> {
    let bytes = if is_newer(component, module) {
        fs::read(component).map_err(|source| io_error("read", component, source))?
    } else {
        let bytes = encode(module)?;
        // Whoever reads the component without the lock sees the old one or the new one, never a part.
        let part = component.with_extension("part");
        fs::write(&part, &bytes).map_err(|source| io_error("write", &part, source))?;
        fs::rename(&part, component).map_err(|source| io_error("rename", &part, source))?;
        bytes
    };
    let imports = imports(&bytes).map_err(|reason| Error::Component { module: module.to_owned(), reason })?;
    Ok(Built { name, path: component.to_owned(), bytes: bytes.len() as u64, imports })
}

fn is_newer(component: &Path, module: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    match (modified(component), modified(module)) {
        (Some(component), Some(module)) => component > module,
        (None, _) | (_, None) => false,
    }
}

fn encode(module: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(module).map_err(|source| io_error("read", module, source))?;
    let encoded = ComponentEncoder::default().module(&bytes).and_then(|encoder| encoder.validate(true).encode());
    encoded.map_err(|error| Error::Component { module: module.to_owned(), reason: format!("{error:#}") })
}

fn imports(bytes: &[u8]) -> Result<Vec<String>, String> {
    match wit_component::decode(bytes).map_err(|error| format!("{error:#}"))? {
        DecodedWasm::Component(resolve, world) => {
            let imports = resolve.worlds[world].imports.keys();
            Ok(imports.map(|key| resolve.name_world_key(key)).collect())
        }
        DecodedWasm::WitPackage(..) => Err("it holds an interface, not a component".to_owned()),
    }
}

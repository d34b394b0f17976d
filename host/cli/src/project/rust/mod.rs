//! Projects in Rust: cargo builds them, in the order of attempts that [`toolchain`] says.

mod toolchain;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::error::{Error, io};
use super::tools::{Effort, Made, Tools, answers};
use toolchain::TARGET;

/// What a project needs for cargo to make a module of it.
const MEND_MANIFEST: &str = "add to Cargo.toml: [lib] crate-type = [\"cdylib\", \"rlib\"]";

/// Lets cargo make a core module with component metadata.
///
/// # Errors
/// [`Error`] says what is missing or wrong.
pub(super) fn make(folder: &Path, effort: Effort, tools: &Tools) -> Result<Made, Error> {
    let toolchain = toolchain::find(folder)?;
    let mut command = toolchain.cargo();
    command.current_dir(folder).args(["build", "--target", TARGET]);
    // Messages of the compiler are for people, what it made is for us.
    command.args(["--message-format", "json-render-diagnostics", "--color", tools.colour()]);
    if tools.is_quiet() {
        command.arg("--quiet");
    }
    match effort {
        Effort::Quick => {}
        Effort::Whole => {
            command.arg("--release");
        }
    }
    let written = tools.run(&mut command)?;
    let (name, path) = module(&written.data, &folder.join("Cargo.toml")).ok_or_else(|| Error::NoModule {
        reason: format!("cargo has made no module of {}", folder.display()),
        mend: MEND_MANIFEST,
    })?;
    let module = std::fs::read(&path).map_err(|source| io(format!("read {}", path.display()), source))?;
    Ok(Made { name, module, said: written.said })
}

/// Looks for what builds a project in `folder`.
///
/// # Errors
/// [`Error::Missing`]
pub(super) fn look_for(folder: &Path) -> Result<(), Error> {
    toolchain::find(folder).map(|_| ())
}

/// Returns the command that runs the tests, natively.
///
/// # Errors
/// [`Error::Missing`] without cargo.
pub(super) fn tests(folder: &Path, more: &[OsString]) -> Result<Command, Error> {
    if !answers(Command::new("cargo").current_dir(folder)) {
        return Err(Error::Missing { missing: "there is no cargo".to_owned(), install: toolchain::INSTALL_RUST });
    }
    let mut command = Command::new("cargo");
    command.current_dir(folder).args(["test", "--"]).args(more);
    Ok(command)
}

/// Returns the name of the package in `manifest` and the module that cargo says it has made of it.
fn module(told: &str, manifest: &Path) -> Option<(String, PathBuf)> {
    let messages = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut made = messages.filter(|message| {
        message["reason"] == "compiler-artifact"
            && Path::new(message["manifest_path"].as_str().unwrap_or("")) == manifest
    });
    made.find_map(|message| {
        let kinds = message["target"]["crate_types"].as_array()?;
        let names = message["filenames"].as_array().filter(|_| kinds.iter().any(|kind| kind == "cdylib"))?;
        let path = names.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm"))?;
        Some((message["target"]["name"].as_str()?.replace('_', "-"), PathBuf::from(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn artifact(manifest: &str, kinds: &[&str], files: &[&str]) -> String {
        let target = json!({"name": "my_orders", "crate_types": kinds});
        json!({"reason": "compiler-artifact", "manifest_path": manifest, "target": target, "filenames": files})
            .to_string()
    }

    #[test]
    fn the_module_is_that_of_the_project_itself() {
        let told = [
            artifact("/p/steward/sdk/rust/Cargo.toml", &["cdylib"], &["/t/sdk.wasm"]),
            artifact("/p/Cargo.toml", &["bin"], &["/t/tool.wasm"]),
            "a line of a build script".to_owned(),
            artifact("/p/Cargo.toml", &["cdylib", "rlib"], &["/t/liborders.rlib", "/t/orders.wasm"]),
        ];
        let found = module(&told.join("\n"), Path::new("/p/Cargo.toml"));
        assert_eq!(found, Some(("my-orders".to_owned(), PathBuf::from("/t/orders.wasm"))));
        assert_eq!(module(&told[..3].join("\n"), Path::new("/p/Cargo.toml")), None);
    }
}

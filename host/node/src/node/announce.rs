//! Says that the node is ready: to people on stderr, and to machines in the place that they asked for.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use steward_model::node::HostId;

use crate::config::{Announce, LogFormat, Options};

/// Tells everybody that requests are served.
///
/// # Errors
/// Those of writing the announcement.
pub(super) fn ready(options: &Options, id: &HostId, api: &str, folder: &Path, took: Duration) -> anyhow::Result<()> {
    match options.log_format {
        LogFormat::Json => {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(%id, api, folder = %folder.display(), millis, "ready");
        }
        LogFormat::Text => {
            let banner = format!(
                "steward {version}  node {id}\n  api      {api}\n  metrics  {api}/metrics\n  data     {folder}\nready in {took:.2?}, stop with Ctrl-C\n",
                version = env!("CARGO_PKG_VERSION"),
                folder = folder.display(),
            );
            // Nobody reads it if stderr is closed; the node runs all the same.
            let _ = std::io::stderr().write_all(banner.as_bytes());
        }
    }
    let line = serde_json::json!({
        "type": "steward.ready", "schema": 1, "id": id.as_str(), "api": api, "pid": std::process::id(),
    });
    match &options.announce {
        None => Ok(()),
        Some(Announce::Stdout) => {
            let mut output = std::io::stdout();
            writeln!(output, "{line}").and_then(|()| output.flush()).context("announce on standard output")
        }
        Some(Announce::File(path)) => {
            write(path, &format!("{line}\n")).with_context(|| format!("announce in {}", path.display()))
        }
    }
}

/// Writes a file at once: whoever waits for it must not read half of it. What is there and no file, such as a pipe or a device, has its
/// readers; it is written into, and stays what it is.
fn write(path: &Path, line: &str) -> std::io::Result<()> {
    // Of a link that is what it leads to.
    let (place, kind) = match std::fs::canonicalize(path) {
        Ok(place) => (place.clone(), Some(std::fs::metadata(&place)?.file_type())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    if kind.is_some_and(|kind| !kind.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(place)?.write_all(line.as_bytes());
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut whole = for_all(&mut tempfile::Builder::new()).tempfile_in(folder)?;
    whole.write_all(line.as_bytes())?;
    whole.persist(place)?;
    Ok(())
}

/// Temporary files are for their owner alone; who may read this one is for the process's mask to say, as of every other file.
#[cfg(unix)]
fn for_all<'a, 'b, 'c>(file: &'a mut tempfile::Builder<'b, 'c>) -> &'a mut tempfile::Builder<'b, 'c> {
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
}

#[cfg(not(unix))]
fn for_all<'a, 'b, 'c>(file: &'a mut tempfile::Builder<'b, 'c>) -> &'a mut tempfile::Builder<'b, 'c> {
    file
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_is_written_at_once_and_what_is_no_file_stays_what_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ready.json");
        for line in ["one\n", "two\n"] {
            write(&file, line).expect("it is written");
            assert_eq!(std::fs::read_to_string(&file).expect("a text"), line);
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write(&link, "three\n").expect("it is written");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).expect("a text"), "three\n");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut heard = String::new();
                std::fs::File::open(pipe).expect("it opens").read_to_string(&mut heard).expect("a text");
                heard
            }
        });
        write(&pipe, "four\n").expect("it is written");
        assert_eq!(reader.join().expect("no panic"), "four\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing is left behind");
        assert!(write(folder.path(), "five\n").is_err(), "a folder");
    }
}

//! `inspect`: prints what the file of a module, or what a project builds, says about itself, without a host.

use serde_json::json;
use steward_model::Link;
use steward_model::line::one_line;
use steward_model::service::Descriptor;
use steward_sandbox::{Inspection, Kind, Language};

use super::author::{build, script};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::prepare::{prepare, refused};
use super::reading;
use super::table::Table;
use crate::project::own_code_cache;
use steward_node::config::quantity::show_size;

/// Shows what a module file says about itself
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs no host. Exit code 10 if a host would refuse the module, with the reason;
- is standard input.

Examples:
  steward inspect counter.wasm
  steward inspect .                     builds the project that is here
  steward inspect counter.wasm -o json | jq .descriptor.stateSchema")]
pub(super) struct Args {
    /// Script (.js, .ts, .py), component or core module with metadata (.wasm), or folder of a project
    #[arg(value_name = "FILE")]
    file: std::path::PathBuf,
    /// Sizes by section and tools that made it, too
    #[arg(long)]
    all: bool,
}

/// Runs `inspect`.
///
/// # Errors
/// A failure if the file cannot be read, the project cannot be built or a host would refuse it; what could be read of it is shown before.
pub(super) async fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let name = args.file.display().to_string();
    let bytes = if args.file.is_dir() {
        build::build(&args.file, terminal).await?.component
    } else if Language::of_file(&name).is_some() {
        script(&args.file)?.module()
    } else {
        reading::bytes(&name)?
    };
    let inspection = steward_sandbox::inspect(&bytes).map_err(|error| refused(&error))?;
    let path = inspection.http.is_some().then(|| named_after(&args.file));
    let described = describe(bytes, path, terminal).await;
    if terminal.format == Format::Json {
        terminal.print_json(&as_json(&inspection, described.as_ref().ok()));
    } else {
        show(args, &inspection, terminal);
        if let Ok((digest, descriptor)) = &described {
            show_descriptor(digest, descriptor, terminal);
            if inspection.http.is_some() {
                terminal.say(
                    "it says nothing about itself: name and path are those of `steward deploy FILE --factory PATH`",
                );
            }
        }
    }
    described.map(|_| Exit::Done)
}

/// Returns the path at which a module that has none would answer in an example: `/` and the name of its file.
fn named_after(file: &std::path::Path) -> Link {
    let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Link::parse(&format!("/{name}"))
        .ok()
        .filter(|link| !link.is_root())
        .unwrap_or_else(|| Link::parse("/component").expect("a path of one segment"))
}

/// Makes the module ready as a host would; returns its digest and descriptor. `path` is where a module answers that has no path.
async fn describe(
    bytes: Vec<u8>,
    path: Option<Link>,
    terminal: &mut Terminal,
) -> Result<(String, Descriptor), Failure> {
    let module = prepare(bytes, own_code_cache(), path, terminal).await?;
    Ok((module.digest().to_string(), module.descriptor().clone()))
}

fn kind(inspection: &Inspection) -> &'static str {
    match inspection.kind {
        Kind::Component => "component",
        Kind::CoreModule => "core module",
        Kind::Script => "script",
    }
}

fn as_json(inspection: &Inspection, described: Option<&(String, Descriptor)>) -> serde_json::Value {
    let sections: Vec<_> =
        inspection.sections.iter().map(|section| json!({"name": section.name, "bytes": section.bytes})).collect();
    let producer =
        |one: &steward_sandbox::Producer| json!({"field": one.field, "name": one.name, "version": one.version});
    json!({
        "type": "inspection", "schema": 1, "kind": kind(inspection), "bytes": inspection.bytes,
        "world": inspection.world, "http": inspection.http, "imports": inspection.imports, "exports": inspection.exports, "sections": sections,
        "producers": inspection.producers.iter().map(producer).collect::<Vec<_>>(),
        "digest": described.map(|(digest, _)| digest), "descriptor": described.map(|(_, descriptor)| descriptor),
    })
}

fn show(args: &Args, inspection: &Inspection, terminal: &mut Terminal) {
    let world = match (&inspection.world, &inspection.http) {
        (Some(version), _) => format!("steward:service@{version}"),
        (None, Some(version)) => format!("HTTP component, wasi:http@{version}"),
        (None, None) => "no service".to_owned(),
    };
    terminal.print(&format!("file     {}   {}   {world}", kind(inspection), show_size(inspection.bytes as u64)));
    terminal.print_listed("imports", &inspection.imports);
    terminal.print_listed("exports", &inspection.exports);
    if !args.all {
        return;
    }
    let made: Vec<_> =
        inspection.producers.iter().map(|one| format!("{} {}", one.name, one.version).trim_end().to_owned()).collect();
    terminal.print_listed("made by", &made);
    terminal.print("");
    let mut table = Table::new(["section", "bytes"]);
    for section in &inspection.sections {
        table.row(vec![section.name.clone(), section.bytes.to_string()]);
    }
    terminal.print_table(&table);
    terminal.print("");
}

fn show_descriptor(digest: &str, descriptor: &Descriptor, terminal: &mut Terminal) {
    let words = |value: serde_json::Value| value.as_str().map(str::to_owned);
    let handlers: Vec<_> = descriptor.handlers.iter().filter_map(|one| words(json!(one))).collect();
    let options: Vec<_> = descriptor.options.iter().filter_map(|one| words(json!(one))).collect();
    let reads: String = descriptor.reads_state_versions.iter().map(|version| format!(", reads v{version}")).collect();
    terminal.print(&format!("digest   sha256:{digest}"));
    let (version, docs) = (one_line(&descriptor.version), one_line(&descriptor.docs));
    terminal.print(format!("service  {} {version}   {docs}", descriptor.name).trim_end());
    terminal.print(&format!("factory  {}   kind {}", descriptor.factory, one_line(descriptor.kind())));
    terminal.print(&format!("state    v{}{reads}", descriptor.state_version));
    terminal.print_listed("options", &options);
    terminal.print_listed("handlers", &handlers);
    if !descriptor.capabilities.outbound.is_empty() {
        terminal.print_listed("outbound", &descriptor.capabilities.outbound);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn file_that_is_no_wasm_is_the_fault_of_the_guest() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "hello").expect("a written file");
        let args = Args { file: file.path().to_owned(), all: false };
        let mut terminal = Terminal::of_process(steward_model::Timestamp(0));
        let refused = run(&args, &mut terminal).await.expect_err("must be refused");
        assert_eq!((refused.exit, refused.code.as_str()), (Exit::Guest, "module-not-wasm"));
    }
}

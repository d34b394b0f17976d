//! `cargo guests [NAME …]`: builds the guest examples and prints where their components lie.

use std::process::ExitCode;

use steward_tests::guests::{self, Progress};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let usage = format!(
        "builds guests into target/guests/components\n\nusage: cargo guests [NAME …]\n\nnames: {}",
        guests::names().join(", ")
    );
    if names.iter().any(|name| name == "-h" || name == "--help") {
        println!("{usage}");
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = names.iter().find(|name| name.starts_with('-')) {
        eprintln!("error: there is no option {unknown}\n\n{usage}");
        return ExitCode::from(2);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match guests::build(&names, &Progress::stderr()) {
        Ok(built) => {
            for guest in built {
                println!(
                    "{:14} {:>5} KiB  {}  imports {}",
                    guest.name,
                    guest.bytes.div_ceil(1024),
                    guest.path.display(),
                    guest.imports.join(", ")
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! `cargo bench-all`: what the host reaches, side by side with baselines of the same run.
//!
//! `cargo bench-all -- --write FILE` also writes the table to a file; `--only NAME` runs one row; `--documents N` sets how many
//! idle documents are made (1,000,000).

mod baseline;
mod commit_log;
mod deploy;
mod guest;
mod idle;
mod load;
mod rest;
mod table;

use std::process::ExitCode;

use table::Row;

/// What the command line says.
struct Wish {
    only: Option<String>,
    write: Option<String>,
    documents: u64,
}

fn wish() -> anyhow::Result<Wish> {
    let mut wish = Wish { only: None, write: None, documents: 1_000_000 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| anyhow::anyhow!("{word} needs a value"));
        match word.as_str() {
            "--only" => wish.only = Some(value()?),
            "--write" => wish.write = Some(value()?),
            "--documents" => wish.documents = value()?.parse()?,
            // What cargo adds for harnesses that it knows.
            "--bench" => {}
            other => anyhow::bail!("{other} is not understood: --only NAME, --write FILE, --documents N"),
        }
    }
    Ok(wish)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    baseline::serve_if_asked()?;
    let wish = wish()?;
    let wanted = |name: &str| wish.only.as_deref().is_none_or(|only| only == name);
    let mut rows: Vec<Row> = Vec::new();
    let mut measure = |name: &str, work: &dyn Fn() -> anyhow::Result<Vec<Row>>| -> anyhow::Result<()> {
        if wanted(name) {
            eprintln!("measuring {name} …");
            rows.extend(work()?);
        }
        Ok(())
    };
    measure("guest", &guest::measure)?;
    measure("rest", &rest::measure)?;
    measure("deploy", &deploy::measure)?;
    measure("idle", &|| idle::measure(wish.documents))?;
    let table = table::render(&rows);
    println!("{table}");
    if let Some(file) = wish.write {
        std::fs::write(file, table)?;
    }
    Ok(())
}

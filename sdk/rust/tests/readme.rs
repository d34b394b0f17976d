//! The example of the README, word for word.

use steward_sdk::prelude::*;

/// A kettle that rings when it is hot.
#[derive(Document)]
pub struct Kettle {
    #[document(default = 20, minimum = 0, maximum = 100)]
    degrees: u8,
    #[document(max_length = 40)]
    owner: Option<String>,
}

#[service(factory = "/core/kettles")]
impl Kettle {
    #[patch(kind = "heat")]
    fn heat(&mut self, ctx: &mut Context, #[field(minimum = 1)] degrees: u8) -> Result {
        self.degrees = self.degrees.checked_add(degrees).or_conflict("too hot")?;
        ensure!(self.degrees <= 100, conflict("water boils at 100"));
        if self.degrees == 100 {
            ctx.self_patch(&json!({ "kind": "ring" })).after(Duration::from_secs(3));
        }
        Ok(())
    }

    #[patch(kind = "ring")]
    fn ring(&mut self, ctx: &mut Context) {
        ctx.create("/core/rings", &json!({ "kettle": ctx.link() }));
        self.degrees = 90;
    }

    #[every("1m")]
    fn handle_maintenance(&mut self) {
        self.degrees = self.degrees.saturating_sub(5).max(20);
    }
}

#[test]
fn a_hot_kettle_rings_after_three_seconds() {
    let mut host = mock::Host::serving::<Kettle>().answering("/core/rings", |_| mock::Response::new(201, json!({})));
    let kettle = host.post("/core/kettles", json!({})).link();
    assert_eq!(host.patch(&kettle, json!({ "kind": "heat", "degrees": 0 })).pointer(), "/degrees");
    host.patch(&kettle, json!({ "kind": "heat", "degrees": 80 }));
    host.restart(); // timers outlive it
    host.advance(Duration::from_secs(3)); // virtual time: nobody waits
    assert_eq!(host.sent()[1].effect.to, "/core/rings");
    assert_eq!(host.versions(&kettle).len(), 3);
}

#[test]
fn the_readme_shows_this_file() {
    let (readme, here) = (include_str!("../README.md"), include_str!("readme.rs"));
    let blocks = readme.split("```rust\n").skip(1).filter_map(|block| block.split("```").next());
    for line in blocks.flat_map(str::lines) {
        assert!(here.contains(line.trim_end()), "the README shows another line: {line}");
    }
}

/// Returns the names of the public functions of a type in a file, hidden ones excepted.
fn functions(source: &str, of: &str) -> Vec<String> {
    let (mut is_own, mut is_hidden, mut names) = (false, false, Vec::new());
    for line in source.lines() {
        match line.trim() {
            own if own.starts_with(&format!("impl {of}")) => is_own = true,
            "}" if line == "}" => is_own = false,
            "#[doc(hidden)]" => is_hidden = true,
            other => {
                let Some(function) = other.strip_prefix("pub fn ") else { continue };
                if is_own && !is_hidden {
                    names.extend(function.split(['(', '<']).next().map(str::to_owned));
                }
                is_hidden = false;
            }
        }
    }
    assert!(!names.is_empty(), "{of} has no functions");
    names
}

/// Returns the functions that the first cells of rows name: `name(`, `.name(`, `name::<S>(`.
fn called(rows: &[&str]) -> Vec<String> {
    let codes = rows.iter().flat_map(|row| row.split(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2));
    let name = |code: &str| {
        let name = code.split(['(', '<']).next()?.trim_end_matches(':').rsplit([':', '.']).next()?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (code.contains('(') && is_name).then(|| name.to_owned())
    };
    codes.filter_map(name).collect()
}

#[test]
fn the_tables_name_what_there_is_and_all_of_it() {
    let context = [(include_str!("../src/context.rs"), "Context"), (include_str!("../src/effect.rs"), "Effect")];
    let (mock, response) = (include_str!("../src/mock/mod.rs"), include_str!("../src/mock/response.rs"));
    for (title, types) in [
        ("## The context", context.as_slice()),
        ("## The reply", &[(include_str!("../src/reply.rs"), "Reply")]),
        ("## The mock host", &[(mock, "Host"), (mock, "Ask"), (response, "Response")]),
    ] {
        let section = include_str!("../README.md").split(title).nth(1).expect("the section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).collect();
        let words: Vec<&str> =
            rows.iter().flat_map(|row| row.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
        let there: Vec<String> = types.iter().flat_map(|(source, of)| functions(source, of)).collect();
        for name in &there {
            assert!(words.contains(&name.as_str()), "{title} leaves out {name}");
        }
        for name in called(&rows) {
            assert!(there.contains(&name), "{title} names {name}, which is not there");
        }
    }
}

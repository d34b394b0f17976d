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

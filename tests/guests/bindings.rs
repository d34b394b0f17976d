//! The committed bindings of Rust are those that the interface makes.
//!
//! They are generated here and not by a macro: the generator and its parsers took half of the first build of every service.

use std::path::Path;

use steward_tests::build;
use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator};
use wit_bindgen_rust::Opts;

/// Writes the files anew instead of comparing them.
const UPDATE: &str = "UPDATE_BINDINGS";

/// Bindings of one world.
struct Bindings {
    /// The folder of the interface.
    wit: &'static str,
    world: &'static str,
    /// Where they are committed.
    file: &'static str,
    options: fn() -> Opts,
}

const ALL: [Bindings; 3] = [
    Bindings {
        wit: "wit",
        world: "service-guest",
        file: "sdk/rust/src/bindings/generated.rs",
        options: || Opts {
            pub_export_macro: true,
            runtime_path: Some("::steward_sdk::bindings::rt".to_owned()),
            ..Opts::default()
        },
    },
    Bindings {
        wit: "guest-examples/last-words/wit",
        world: "last-words",
        file: "guest-examples/last-words/src/wasi/generated.rs",
        options: || Opts { generate_all: true, ..Opts::default() },
    },
    Bindings {
        wit: "guest-examples/proxy/wit",
        world: "proxy",
        file: "guest-examples/proxy/src/wasi/generated.rs",
        options: || Opts { generate_all: true, ..Opts::default() },
    },
];

impl Bindings {
    fn generated(&self, root: &Path) -> String {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(root.join(self.wit)).expect("the interface is read");
        let world = resolve.select_world(&[package], Some(self.world)).expect("it has the world");
        let mut files = Files::default();
        let options = Opts { format: true, ..(self.options)() };
        options.build().generate(&mut resolve, world, &mut files).expect("bindings are generated");
        let (_, text) = files.iter().next().expect("one file is generated");
        let text = String::from_utf8(text.to_vec()).expect("they are text");
        format!("// Written by `{UPDATE}=1 cargo test --test guests bindings` out of {}.\n{text}", self.wit)
    }
}

#[test]
fn bindings_are_those_of_the_interface() {
    let root = build::repository();
    for bindings in &ALL {
        let (generated, file) = (bindings.generated(&root), root.join(bindings.file));
        if std::env::var_os(UPDATE).is_some() {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
            std::fs::write(&file, &generated).expect("they are written");
        }
        let committed = std::fs::read_to_string(&file).expect("they are committed");
        assert!(
            committed == generated,
            "{} is not what {} makes: write it anew with {UPDATE}=1",
            bindings.file,
            bindings.wit
        );
    }
}

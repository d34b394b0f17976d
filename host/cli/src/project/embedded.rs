//! What of this repository is embedded in the binary, see `host/cli/build.rs`: paths and texts.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn manifests_of_the_sdk_need_no_workspace() {
        let manifests: Vec<_> = RUST_SUPPORT.iter().filter(|(path, _)| path.ends_with("Cargo.toml")).collect();
        assert_eq!(manifests.len(), 2);
        for (path, text) in manifests {
            let foreign = ["workspace", "lints", "dev-dependencies"].into_iter().find(|word| text.contains(word));
            assert_eq!(foreign, None, "{path}");
            let manifest = DeTable::parse(text).expect("a manifest");
            assert!(
                manifest.get_ref().contains_key("package") && manifest.get_ref().contains_key("dependencies"),
                "{path}"
            );
        }
    }

    #[test]
    fn nothing_leads_back_into_the_repository() {
        for (path, text) in [RUST, RUST_SUPPORT, GO, GO_SUPPORT, C, C_SUPPORT, PYTHON, PYTHON_SUPPORT]
            .concat()
            .into_iter()
            .filter(|(path, _)| path.ends_with(".md"))
        {
            assert!(!text.contains("](../"), "{path} has a link to what is not there");
        }
    }

    #[test]
    fn the_lock_file_holds_what_the_sdk_needs_and_no_more() {
        let lock = RUST_LOCK[0].1;
        assert!(DeTable::parse(lock).is_ok(), "{lock}");
        let has = |name: &str| lock.contains(&format!("\nname = \"{name}\"\n"));
        assert!(has("steward-sdk") && has("steward-sdk-macros") && has("wit-bindgen") && has("serde_derive"));
        assert!(!has("tokio") && !has("wasmtime") && !has("steward-model"));
    }
}

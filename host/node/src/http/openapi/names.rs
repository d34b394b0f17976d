//! Names of operations and components: made of the path of a service alone, so that they stay when other services come and go.
//!
//! A name begins with what it stands for, and paths follow: `create.core.counters`, `State.core.counters`. No word before the
//! first dot has one itself, so no two services come to the same name.

use std::borrow::Cow;

/// Bytes of the hash that tells two names apart whose strange characters were left out.
const HASH_CHARACTERS: usize = 8;

/// Returns the name of what is at `path`, such as `core.counters`.
pub(super) fn of_path(path: &str) -> String {
    let segments: Vec<Cow<'_, str>> = path.trim_start_matches('/').split('/').map(clean).collect();
    segments.join(".")
}

/// Returns a name that components may have, without a dot; what has other characters gets a hash of its own.
pub(super) fn clean(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    Cow::Owned(format!("{plain}-{}", &hash[..HASH_CHARACTERS]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_keep_their_words() {
        assert_eq!(of_path("/core/example-tasks"), "core.example-tasks");
        assert_eq!(of_path("/a"), "a");
    }

    #[test]
    fn paths_with_other_characters_stay_apart() {
        let names = ["/a.b/c", "/a/b.c", "/a/b/c", "/a_b/c", "/a/b_c", "/a@b/c"].map(of_path);
        for (place, name) in names.iter().enumerate() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
            assert!(!names[..place].contains(name), "{names:?}");
        }
    }
}

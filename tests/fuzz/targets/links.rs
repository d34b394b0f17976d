//! Self-links: any text is refused with a reason, or is a link that reads as it was written and whose parents are links.

use steward_model::link::LINK_BYTES_MAX;
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Lane, Link, PartitionId};

pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let link = match Link::parse(&text) {
        Ok(link) => link,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(serde_json::from_value::<Link>(text.into()).is_err(), "JSON takes what a path may not be");
            return;
        }
    };
    assert_eq!(link.as_str(), text);
    assert!(text.len() <= LINK_BYTES_MAX && !text.contains('\0'), "keys end links with a zero byte");
    let written = serde_json::to_string(&link).expect("a link is a text");
    assert_eq!(serde_json::from_str::<Link>(&written).ok().as_ref(), Some(&link));
    assert!(PartitionId::of(&link, Lane::Persisted).index < PARTITIONS_PER_LANE);
    ancestors(&link);
}

/// Goes up to the root; each step must lead back down.
fn ancestors(link: &Link) {
    let mut below = link.clone();
    while let Some(parent) = below.parent() {
        assert!(below.is_within(&parent) && !parent.is_within(&below), "{below} lies below {parent}");
        assert_eq!(parent.child(below.name()).as_ref(), Ok(&below));
        assert_eq!(Link::parse(parent.as_str()).as_ref(), Ok(&parent));
        below = parent;
    }
    assert!(below.is_root(), "{below} has no parent");
}

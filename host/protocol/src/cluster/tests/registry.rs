//! Guest modules, factories, settings.

use steward_model::module::Digest;
use steward_model::service::{Capabilities, Descriptor, ServiceOption};
use steward_model::{Lane, Link, Timestamp};

use super::super::command::{Applied, Command, Deployment, Refused};
use super::super::registry::{Authorship, GuestModule, HISTORY_MAX, Mounted, Overrides, Service};
use super::Examined;

const DESCRIPTOR: &str = r#"{"name":"counter","version":"1.0.0","factory":"/core/counters","options":["PERSISTENCE"]}"#;
const PERSISTED: Service = Service::Stateful { lane: Lane::Persisted };

fn authorship() -> Authorship {
    Authorship { by: "/core/authz/users/ada".into(), at: Timestamp(3), message: "first try".into() }
}

/// Somebody else, afterwards.
fn later() -> Authorship {
    Authorship { by: "/core/authz/users/grace".into(), at: Timestamp(4), message: "first try".into() }
}

fn module(bytes: &str) -> GuestModule {
    GuestModule {
        digest: Digest::of(bytes.as_bytes()),
        name: "counter".into(),
        version: "1.0.0".into(),
        descriptor: DESCRIPTOR.into(),
        size_bytes: bytes.len() as u64,
        installed: authorship(),
    }
}

fn link(path: &str) -> Link {
    Link::parse(path).expect("a valid path")
}

fn deployment(path: &str, revision: u64, bytes: &str) -> Deployment {
    let mounted = Mounted { module: Digest::of(bytes.as_bytes()), service: PERSISTED, overrides: Overrides::default() };
    Deployment { path: link(path), revision, mounted, authorship: authorship() }
}

fn unmount(path: &str, revision: u64) -> Command {
    Command::UnmountFactory { path: link(path), revision, authorship: authorship() }
}

fn with_modules() -> Examined {
    let mut examined = Examined::with_peers(1);
    for bytes in ["one", "two"] {
        examined.accept(Command::RegisterModule(module(bytes)));
    }
    examined
}

#[test]
fn factory_counts_revisions_and_remembers_who_made_them() {
    let mut examined = with_modules();
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    let mounted = examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    assert_eq!(mounted, Applied::Revised { revision: 1 });
    examined.accept(Command::MoveFactory(deployment("/core/counters", 1, "two")));
    examined.accept(unmount("/core/counters", 2));
    assert_eq!(examined.0.factory_of(&link("/core/counters/a")), None);
    examined.accept(Command::MountFactory(deployment("/core/counters", 3, "one")));
    let factory = examined.0.factory(&link("/core/counters")).expect("a factory");
    let told: Vec<_> = factory.history.iter().map(|r| (r.number, r.previous, r.module)).collect();
    assert_eq!(told, [(1, None, Some(one)), (2, Some(one), Some(two)), (3, Some(two), None), (4, None, Some(one))]);
    assert_eq!(factory.history[0].authorship, authorship());
}

#[test]
fn change_decided_on_an_older_revision_is_refused() {
    let mut examined = with_modules();
    let path = link("/core/counters");
    let stale = |revision, current| Refused::StaleRevision { path: path.clone(), revision, current };
    let early = Command::MountFactory(deployment("/core/counters", 1, "one"));
    assert_eq!(examined.refuse(early), stale(1, 0));
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    let late = Command::MoveFactory(deployment("/core/counters", 0, "two"));
    assert_eq!(examined.refuse(late), stale(0, 1));
    assert_eq!(examined.refuse(unmount("/core/counters", 9)), stale(9, 1));
}

#[test]
fn change_that_is_asked_for_again_is_made_once() {
    let mut examined = with_modules();
    let path = link("/core/counters");
    let revised = |revision| Applied::Revised { revision };
    let again = |revision, name| Deployment { authorship: later(), ..deployment("/core/counters", revision, name) };
    assert_eq!(examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one"))), revised(1));
    // By the one who has not heard of it, or by another one who wants the same.
    assert_eq!(examined.accept(Command::MountFactory(again(0, "one"))), revised(1));
    let taken = Refused::PathTaken { path: path.clone(), revision: 1 };
    assert_eq!(examined.refuse(Command::MountFactory(again(0, "two"))), taken);

    assert_eq!(examined.accept(Command::MoveFactory(deployment("/core/counters", 1, "two"))), revised(2));
    assert_eq!(examined.accept(Command::MoveFactory(again(1, "two"))), revised(2));
    assert!(matches!(examined.refuse(Command::MoveFactory(again(1, "one"))), Refused::StaleRevision { .. }));
    assert!(matches!(examined.refuse(Command::MoveFactory(again(0, "two"))), Refused::StaleRevision { .. }));

    assert_eq!(examined.accept(unmount("/core/counters", 2)), revised(3));
    assert_eq!(examined.accept(unmount("/core/counters", 2)), revised(3));
    assert_eq!(examined.refuse(unmount("/core/counters", 3)), Refused::NotMounted { path: path.clone() });
    let factory = examined.0.factory(&path).expect("it has a history");
    assert_eq!((factory.revision, factory.history.len()), (3, 3), "nothing was made twice");
    assert_eq!(factory.history[0].authorship, authorship(), "the first one has made it");
}

#[test]
fn factory_needs_a_free_path_and_an_installed_module() {
    let mut examined = with_modules();
    let unknown = Refused::UnknownModule { digest: Digest::of(b"three") };
    assert_eq!(examined.refuse(Command::MountFactory(deployment("/core/counters", 0, "three"))), unknown);
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    let taken = Refused::PathTaken { path: link("/core/counters"), revision: 1 };
    assert_eq!(examined.refuse(Command::MountFactory(deployment("/core/counters", 1, "one"))), taken);
    assert_eq!(examined.refuse(Command::MoveFactory(deployment("/core/counters", 1, "three"))), unknown);
    let nothing = Refused::NotMounted { path: link("/core/others") };
    assert_eq!(examined.refuse(Command::MoveFactory(deployment("/core/others", 0, "one"))), nothing);
    assert_eq!(examined.refuse(unmount("/core/others", 0)), nothing);
}

#[test]
fn mounted_service_cannot_change_where_its_documents_are() {
    let mut examined = with_modules();
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    let mut moved = deployment("/core/counters", 1, "two");
    moved.mounted.service = Service::Stateful { lane: Lane::Volatile };
    let refused = examined.refuse(Command::MoveFactory(moved));
    let (path, to) = (link("/core/counters"), Service::Stateful { lane: Lane::Volatile });
    assert_eq!(refused, Refused::ServiceDiffers { path, from: PERSISTED, to });
}

#[test]
fn factories_that_would_hide_documents_are_refused() {
    let mut examined = with_modules();
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    for path in ["/core/counters/a", "/core"] {
        let refused = examined.refuse(Command::MountFactory(deployment(path, 0, "one")));
        assert_eq!(refused, Refused::Overlap { path: link(path), other: link("/core/counters") });
    }
    let mut stateless = deployment("/core", 0, "one");
    stateless.mounted.service = Service::Stateless;
    examined.accept(Command::MountFactory(stateless));
}

#[test]
fn longest_mounted_path_answers() {
    let mut examined = with_modules();
    let mut root = deployment("/", 0, "one");
    root.mounted.service = Service::Stateless;
    examined.accept(Command::MountFactory(root));
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    let answers = |path: &str| examined.0.factory_of(&link(path)).map(|(factory, _)| factory.path.to_string());
    assert_eq!(answers("/core/counters/a/b").as_deref(), Some("/core/counters"));
    assert_eq!(answers("/core/counters").as_deref(), Some("/core/counters"));
    assert_eq!(answers("/core/counters2/a").as_deref(), Some("/"));
    assert_eq!(answers("/").as_deref(), Some("/"));
}

#[test]
fn module_leaves_only_when_nothing_runs_it() {
    let mut examined = with_modules();
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    let refused = examined.refuse(Command::RemoveModule { digest: one });
    assert_eq!(refused, Refused::ModuleMounted { digest: one, path: link("/core/counters") });
    examined.accept(Command::MoveFactory(deployment("/core/counters", 1, "two")));
    examined.accept(Command::RemoveModule { digest: one });
    assert_eq!((examined.0.module(&one), examined.0.registry().modules().count()), (None, 1));
    assert_eq!(examined.accept(Command::RemoveModule { digest: one }), Applied::Done, "it is gone, as was asked for");
    assert!(examined.0.module(&two).expect("installed").descriptor().is_ok());
}

#[test]
fn same_bytes_installed_again_keep_their_first_author() {
    let mut examined = with_modules();
    let mut again = module("one");
    again.installed.by = "/core/authz/users/bob".into();
    examined.accept(Command::RegisterModule(again));
    assert_eq!(examined.0.module(&Digest::of(b"one")), Some(&module("one")));
}

#[test]
fn history_is_bounded() {
    let mut examined = with_modules();
    examined.accept(Command::MountFactory(deployment("/core/counters", 0, "one")));
    for revision in 1..=HISTORY_MAX as u64 {
        examined.0.apply(&Command::MoveFactory(deployment("/core/counters", revision, "two"))).expect("accepted");
    }
    let factory = examined.0.factory(&link("/core/counters")).expect("a factory");
    assert_eq!((factory.history.len(), factory.history[0].number), (HISTORY_MAX, 2));
}

#[test]
fn overrides_stand_above_the_descriptor_and_nothing_is_granted_unasked() {
    let mut descriptor = Descriptor::parse(DESCRIPTOR).expect("a valid descriptor");
    descriptor.capabilities = Capabilities { outbound: vec!["example.com".into()] };
    let overrides = Overrides {
        options: Some(vec![ServiceOption::Stateless]),
        version_retention: Some(5),
        maintenance_interval_micros: Some(7_000),
        ..Overrides::default()
    };
    let effective = overrides.apply(&descriptor).expect("options that go together");
    assert_eq!(Service::of(&effective), Service::Stateless);
    assert_eq!(Service::of(&descriptor), PERSISTED);
    assert_eq!((effective.version_retention, effective.maintenance_interval_micros), (5, 7_000));
    assert_eq!(effective.capabilities, Capabilities::default());
    let impossible = Some(vec![ServiceOption::Stateless, ServiceOption::Persistence]);
    assert!(Overrides { options: impossible, ..Overrides::default() }.apply(&descriptor).is_err());
}

#[test]
fn settings_are_kept_until_they_are_taken_back() {
    let mut examined = Examined::with_peers(1);
    let set = |value: Option<&str>| Command::SetConfig { key: "limit".into(), value: value.map(str::to_owned) };
    examined.accept(set(Some("7")));
    assert_eq!(examined.0.config("limit"), Some("7"));
    examined.accept(set(None));
    assert_eq!(examined.0.config("limit"), None);
}

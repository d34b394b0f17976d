//! Tests of checked options.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn options(flags: &[(&'static str, &str)]) -> Result<Options, Error> {
    let given = Given { flags: flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect(), file: None };
    Options::from_effective(&gather(&given, std::iter::empty())?)
}

fn refusal(flags: &[(&'static str, &str)]) -> String {
    options(flags).expect_err("must be refused").to_string()
}

#[test]
fn defaults_are_a_node_on_loopback() {
    let options = options(&[]).expect("defaults are valid");
    assert_eq!(options.public_uri_at(8000), "http://127.0.0.1:8000");
    assert_eq!(options.data, PathBuf::from("./steward-data"));
    assert_eq!(options.membership_quorum, Quorum::Auto);
    assert_eq!(options.max_request_bytes, 1 << 20);
    assert_eq!(options.guest_memory_bytes, 64 << 20);
    assert_eq!(options.guest_deadline, Duration::from_secs(1));
    assert_eq!(options.idle_timeout, Duration::from_secs(60));
    assert_eq!((options.guest_share_percent, &options.modules), (25, &ModuleLimits::default()));
    assert_eq!(options.guest_instances, steward_sandbox::Config::default().instances_max);
    assert_eq!(options.announce, None);
    assert_eq!(options.id, None);
}

#[test]
fn a_file_without_end_is_not_read_to_it() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "#".repeat(2 << 20)).expect("written");
    for path in [file.path(), Path::new("/dev/zero")] {
        let refused = gather(&Given { flags: BTreeMap::new(), file: Some(path.to_owned()) }, std::iter::empty());
        let Err(Error::Unreadable { source, .. }) = refused else { panic!("{} must be refused", path.display()) };
        assert!(source.to_string().contains("more than 1.0 MiB"), "{source}");
    }
}

#[test]
fn public_address_needs_leave_and_a_name() {
    let refused = options(&[("bind_address", "10.0.0.1")]).expect_err("must be refused");
    assert!(refused.to_string().starts_with("--bind-address: refusing to listen on 10.0.0.1"), "{refused}");
    assert!(refused.hints()[0].contains("--insecure-public"));
    let open = [("bind_address", "0.0.0.0"), ("insecure_public", "true")];
    assert!(refusal(&open).contains("public_uri is not set"));
    let named = [open[0], open[1], ("public_uri", "http://node-1:8000/")];
    assert_eq!(options_of(&named).public_uri_at(1), "http://node-1:8000");
}

fn options_of(flags: &[(&'static str, &str)]) -> Options {
    options(flags).expect("valid")
}

fn peers_of(flags: &[(&'static str, &str)]) -> Option<(String, String, Vec<String>)> {
    let options = options_of(flags);
    let at = options.peers.at(options.bind_address, &options.public_uri_at(options.port), options.port)?;
    let at = at.expect("an address");
    Some((at.listen.to_string(), at.address.to_string(), at.list.iter().map(ToString::to_string).collect()))
}

#[test]
fn a_node_that_lists_itself_alone_has_no_peers() {
    assert_eq!(peers_of(&[]), None);
    assert_eq!(peers_of(&[("port", "8001"), ("peer_nodes", "http://127.0.0.1:8001, http://localhost:8001/")]), None);
    assert_eq!(peers_of(&[("public_uri", "http://node-1:80"), ("peer_nodes", "http://node-1")]), None);
}

#[test]
fn peers_are_listed_once_each_by_their_ports_for_peers_however_they_are_spelt() {
    let listed = "http://localhost:8001,http://127.0.0.1:8000,steward://127.0.0.1:18002,http://127.0.0.1:8001/";
    let (listen, address, list) = peers_of(&[("peer_nodes", listed)]).expect("peers");
    assert_eq!((listen.as_str(), address.as_str()), ("127.0.0.1:18000", "127.0.0.1:18000"));
    assert_eq!(list, ["127.0.0.1:18000", "127.0.0.1:18001", "127.0.0.1:18002"]);
    let (listen, address, list) = peers_of(&[("peer_port", "7"), ("public_uri", "http://a:1")]).expect("peers");
    assert_eq!((listen.as_str(), address.as_str(), list), ("127.0.0.1:7", "a:7", vec!["a:7".to_owned()]));
}

#[test]
fn peers_beyond_this_machine_need_a_secret_or_leave() {
    let open = [("bind_address", "10.0.0.1"), ("insecure_public", "true"), ("peer_nodes", "http://10.0.0.2:8000")];
    let refused = options(&open).expect_err("must be refused");
    assert!(refused.to_string().starts_with("--peer-nodes: refusing to listen to peers on 10.0.0.1"), "{refused}");
    assert!(refused.hints()[0].contains("--cluster-secret-file"));
    for leave in [("cluster_secret_file", "/a"), ("insecure_peers", "true")] {
        assert!(options(&[&open[..], &[leave]].concat()).is_ok(), "{leave:?}");
    }
}

#[test]
fn values_that_cannot_be_meant_are_refused_by_name() {
    for (key, text, words) in [
        ("port", "80000", "--port: \"80000\" is not a port: 0 to 65535"),
        ("bind_address", "here", "is not an IP address"),
        ("public_uri", "https://a", "is not an http URI"),
        ("public_uri", "http://", "is not an http URI"),
        ("host_names", "http://a", "is not the name of a host"),
        ("cors_origin", "https://a/b", "is not a web origin"),
        ("id", "a b", "is refused"),
        ("peer_nodes", "127.0.0.1:8000", "is not the address of a node"),
        ("peer_port", "x", "is not a port"),
        ("membership_quorum", "0", "must be 1 or more, or auto"),
        ("max_request_bytes", "0", "one byte or more"),
        ("guest_memory", "lots", "is not a size"),
        ("guest_deadline", "0s", "longer than nothing"),
        ("shutdown_grace", "10", "is not a duration"),
        ("backlog", "2048GiB", "at most"),
        ("pending_effects", "0", "must be 1 or more"),
        ("pending_bytes", "2048GiB", "at most 1.0 TiB"),
        ("queue_limit", "0", "must be 1 or more"),
        ("idle_timeout", "0s", "longer than nothing"),
        ("max_request_bytes", "13MiB", "at most 12 MiB"),
        ("guest_memory", "5GiB", "at most 4.0 GiB"),
        ("guest_deadline", "2h", "at most 3600 s"),
        ("queue_limit", "1048577", "at most 1048576"),
        ("idle_timeout", "25h", "at most 86400 s"),
        ("shutdown_grace", "25h", "at most 86400 s"),
        ("membership_quorum", "4294967295", "no group has more than 1024 members"),
        ("location", &"x".repeat(257), "256 bytes are enough"),
        ("outbound_allow", "http://a", "is not a host"),
        ("log_format", "xml", "must be text or json"),
        ("log_level", "loud", "write error, warn, info, debug or trace"),
        ("log_level", "info,steward_node=loud", "write error, warn"),
        ("log_level", "", "write error, warn"),
        ("ephemeral", "yes", "must be true or false"),
    ] {
        let refused = refusal(&[(key, text)]);
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn every_setting_is_read() {
    let given = [
        ("announce", "-"),
        ("cors_origin", "https://a,http://b:1"),
        ("host_names", "API.example.,*"),
        ("id", "hostAtPort8000"),
        ("location", "rack-1"),
        ("log_format", "json"),
        ("membership_quorum", "3"),
        ("outbound_allow", "*.example.com,api.example.com:8443"),
        ("port", "0"),
    ];
    let options = options_of(&given);
    assert_eq!(options.announce, Some(Announce::Stdout));
    assert_eq!(options.cors_origin, ["https://a", "http://b:1"]);
    assert_eq!(options.host_names, ["api.example", "*"]);
    assert_eq!(options.id.expect("an id").as_str(), "hostAtPort8000");
    assert_eq!(options.location.as_deref(), Some("rack-1"));
    assert_eq!(options.log_format, LogFormat::Json);
    assert_eq!(options.membership_quorum, Quorum::Fixed(3));
    assert_eq!(options.outbound_allow, ["*.example.com", "api.example.com:8443"]);
    assert_eq!(options.port, 0);
}

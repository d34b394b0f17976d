//! Requests that browsers send for pages of strangers.
//!
//! Problem: nobody is asked who they are, and a browser sends requests for every page that it shows. A page can let its own
//! name point at this node (DNS rebinding), and then reads and writes as if it came from here. A page of any origin can
//! send what browsers take for harmless, such as a POST without a body.
//!
//! Promise: a request that was meant for another host or scheme is answered with 421, and an update that a page of a foreign origin
//! sends with 403; nothing happens. A browser adds `Host` and `Origin` by itself, and no page can change them. Other clients
//! send no `Origin`, and the right `Host` without being told.
//!
//! A node is called by the address at which the connection arrived, by the name in its public URI, by the names in
//! `--host-names`, and by `localhost` and every loopback address if the connection came over loopback. Ports are not
//! compared: behind a forwarded port a client says another one.
//!
//! Left out: services that change something on GET, for browsers send that for every page, without an `Origin`.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method, Version};
use steward_model::digits::digits;

use super::error::Error;
use crate::telemetry::metrics as telemetry;

/// Stands for every name, or for every origin.
const ANY: &str = "*";

/// The names of this node, and the origins that it trusts.
pub(super) struct Strangers {
    names: Vec<String>,
    any_name: bool,
    origins: Vec<String>,
    any_origin: bool,
}

impl Strangers {
    /// Returns the rules of a node that is reached by `public_uri` and these names.
    pub(super) fn new(public_uri: &str, host_names: &[String], origins: &[String]) -> Strangers {
        let uri = public_uri.parse::<http::Uri>().ok();
        let own = uri.as_ref().and_then(http::Uri::host).map(str::to_owned);
        let is_any = |list: &[String]| list.iter().any(|entry| entry == ANY);
        Strangers {
            names: own.into_iter().chain(host_names.iter().cloned()).collect(),
            any_name: is_any(host_names),
            origins: origins.to_vec(),
            any_origin: is_any(origins),
        }
    }

    /// Returns nothing if the request, which arrived at the address `local`, is for this node, and is no update that a page
    /// of a foreign origin sent.
    ///
    /// # Errors
    /// [`Error::Target`] if its target is none of its method, [`Error::Header`] if it does not say for which host it is, or says it
    /// twice, [`Error::OtherScheme`], [`Error::Misdirected`], [`Error::ForeignOrigin`].
    pub(super) fn check(&self, parts: &Parts, local: IpAddr) -> Result<(), Error> {
        check_target(parts)?;
        let named = named(parts)?;
        for host in named.into_iter().flatten() {
            self.check_name(host, local.to_canonical())?;
        }
        match parts.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Ok(()),
            _ => self.check_origin(parts, named),
        }
    }

    fn check_name(&self, host: &str, local: IpAddr) -> Result<(), Error> {
        let name = name_of(host).ok_or_else(|| refused(format!("is {host:?}: write NAME or NAME:PORT")))?;
        if self.any_name || self.is_own(name, local) {
            return Ok(());
        }
        telemetry::stranger("host");
        Err(Error::Misdirected { host: name.to_owned() })
    }

    fn is_own(&self, name: &str, local: IpAddr) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        if self.names.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return true;
        }
        if local.is_loopback() && name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let address = bare.parse::<IpAddr>().map(|address| address.to_canonical());
        address.is_ok_and(|address| address == local || (address.is_loopback() && local.is_loopback()))
    }

    /// A page of this node itself names the same host in both headers.
    fn check_origin(&self, parts: &Parts, named: [Option<&str>; 2]) -> Result<(), Error> {
        for origin in parts.headers.get_all(ORIGIN) {
            let text = origin.to_str().unwrap_or_default();
            let own = text.split_once("://").map(|(_, authority)| authority);
            let is_own = own.is_some_and(|own| named.into_iter().flatten().any(|host| host.eq_ignore_ascii_case(own)));
            if !is_own && !self.any_origin && !self.origins.iter().any(|listed| listed == text) {
                telemetry::stranger("origin");
                return Err(Error::ForeignOrigin { origin: String::from_utf8_lossy(origin.as_bytes()).into_owned() });
            }
        }
        Ok(())
    }
}

/// A target is a path, an address in full, or for CONNECT an authority alone: source RFC 9112, section 3.2. Whoever answers for another
/// scheme than it speaks tells of another resource: source RFC 9110, section 7.4. With HTTP/2 the scheme is that of the client, and
/// something before this node may have ended its TLS; with HTTP/1.1 such a gateway sends the path alone.
fn check_target(parts: &Parts) -> Result<(), Error> {
    let uri = &parts.uri;
    let is_multiplexed = parts.version >= Version::HTTP_2;
    if uri.scheme().is_none() && uri.authority().is_some() && parts.method != Method::CONNECT {
        return Err(Error::Target { target: uri.to_string() });
    }
    // Who sends a name and a password there gets neither back: source RFC 9110, section 4.2.4.
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::Target {
            target: format!("{}://…@…{}", uri.scheme_str().unwrap_or_default(), uri.path())
        });
    }
    let is_own = |scheme: &str| match scheme.to_ascii_lowercase().as_str() {
        "http" => true,
        "https" => is_multiplexed,
        _ => false,
    };
    match uri.scheme_str().filter(|scheme| !is_own(scheme)) {
        None => Ok(()),
        Some(scheme) => {
            telemetry::stranger("scheme");
            Err(Error::OtherScheme { scheme: scheme.to_owned() })
        }
    }
}

/// Returns the host for which a request is, as its `Host` says and as its target says.
///
/// Source: RFC 9112, sections 3.2 and 3.2.2; RFC 9113, section 8.3.1.
fn named(parts: &Parts) -> Result<[Option<&str>; 2], Error> {
    let mut said = parts.headers.get_all(HOST).iter();
    let (first, second) = (said.next(), said.next());
    if second.is_some() {
        return Err(refused("stands there twice".to_owned()));
    }
    let said = first.map(text).transpose()?;
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let is_multiplexed = parts.version >= Version::HTTP_2;
    // An address in full prevails, whatever stands beside it.
    if let (Some(_), Some(target), false) = (said, target, is_multiplexed) {
        return Ok([None, Some(target)]);
    }
    match (said, target) {
        // Before HTTP/1.1 there was no such header.
        (None, _) if parts.version <= Version::HTTP_10 => {}
        (None, None) => return Err(refused("is missing".to_owned())),
        (None, Some(_)) if !is_multiplexed => return Err(refused("is missing".to_owned())),
        (Some(said), Some(target)) if is_multiplexed && !said.eq_ignore_ascii_case(target) => {
            return Err(refused(format!("is {said:?}, and the request is for {target:?}")));
        }
        (None | Some(_), None | Some(_)) => {}
    }
    Ok([said, target])
}

fn text(value: &HeaderValue) -> Result<&str, Error> {
    value.to_str().map_err(|_| refused("has characters that no host name has".to_owned()))
}

fn refused(reason: String) -> Error {
    Error::Header { name: "Host", reason }
}

/// Returns the name in `NAME`, `NAME:PORT` or `[ADDRESS]:PORT`.
fn name_of(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    // Between brackets stands an address of IPv6, perhaps with a zone, or one of a version to come: source RFC 3986, section 3.2.2.
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_literal = literal.is_some_and(|inside| {
        let address = inside.split_once("%25").map_or(inside, |(address, _)| address);
        let later = inside.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
        let is_later = |(version, rest): (&str, &str)| {
            let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_number && !rest.is_empty() && rest.bytes().all(|byte| byte == b':' || in_name(byte))
        };
        address.parse::<Ipv6Addr>().is_ok() || later.is_some_and(is_later)
    });
    let is_name = is_literal || (!name.is_empty() && name.bytes().all(in_name));
    let is_number = |port: &str| port.is_empty() || digits(port).is_some_and(|number| number <= u64::from(u16::MAX));
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    (is_name && is_port).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(strangers: &Strangers, local: &str, request: http::request::Builder) -> Result<(), Error> {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        strangers.check(&parts, local.parse().expect("an address"))
    }

    fn asked(host: &str) -> http::request::Builder {
        http::Request::get("/").header("host", host)
    }

    fn rules() -> Strangers {
        Strangers::new("http://node-1:8000", &["api.example".to_owned()], &["https://ours.example".to_owned()])
    }

    #[test]
    fn a_node_is_called_by_its_names_and_addresses_at_any_port() {
        let own = [
            ("127.0.0.1", "localhost"),
            ("127.0.0.1", "LocalHost:9000"),
            ("::1", "[::1]:8000"),
            ("::ffff:127.0.0.1", "127.0.0.1:8000"),
            ("127.0.0.1", "127.0.0.2"),
            ("10.0.0.1", "10.0.0.1:8000"),
            ("10.0.0.1", "node-1"),
            ("10.0.0.1", "API.example.:80"),
        ];
        for (local, host) in own {
            assert!(checked(&rules(), local, asked(host)).is_ok(), "{host} at {local}");
        }
        let foreign = [
            ("127.0.0.1", "evil.example"),
            ("127.0.0.1", "localhost.evil.example"),
            ("127.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "localhost"),
            ("10.0.0.1", "127.0.0.1:8000"),
            ("10.0.0.1", "xapi.example"),
            ("::1", "[fe80::1%25eth0]:80"),
            ("::1", "[v1.a:b]"),
        ];
        for (local, host) in foreign {
            let refused = checked(&rules(), local, asked(host));
            assert!(matches!(refused, Err(Error::Misdirected { .. })), "{host} at {local}");
        }
        let any = Strangers::new("http://a", &["*".to_owned()], &[]);
        assert!(checked(&any, "127.0.0.1", asked("evil.example")).is_ok());
    }

    #[test]
    fn a_request_names_its_host_once_and_in_one_way() {
        let faulty = [
            http::Request::get("/"),
            http::Request::get("http://127.0.0.1/"),
            asked("127.0.0.1").header("host", "127.0.0.1"),
            asked(""),
            asked("a b"),
            asked("user@127.0.0.1"),
            asked("127.0.0.1:x"),
            asked("127.0.0.1:65536"),
            asked("127.0.0.1:+80"),
            asked("[::1"),
            asked("[127.0.0.1]"),
            asked("[localhost]"),
            asked("[]:80"),
            asked("[v1.]"),
            http::Request::get("http://127.0.0.1/").header("host", "localhost").version(Version::HTTP_2),
        ];
        for request in faulty {
            let shown = format!("{request:?}");
            assert!(
                matches!(checked(&rules(), "127.0.0.1", request), Err(Error::Header { name: "Host", .. })),
                "{shown}"
            );
        }
        let old = http::Request::get("/").version(Version::HTTP_10);
        assert!(checked(&rules(), "127.0.0.1", old).is_ok());
        let absolute = http::Request::get("http://evil.example/").header("host", "127.0.0.1");
        assert!(matches!(checked(&rules(), "127.0.0.1", absolute), Err(Error::Misdirected { .. })));
        let absolute = http::Request::get("http://127.0.0.1/").header("host", "evil.example");
        assert!(checked(&rules(), "127.0.0.1", absolute).is_ok(), "the address prevails");
    }

    #[test]
    fn a_target_is_that_of_its_method_and_of_a_scheme_that_is_spoken_here() {
        let target = |version: Version, target: &str| {
            let request = http::Request::get(target).header("host", "127.0.0.1").version(version);
            checked(&rules(), "127.0.0.1", request)
        };
        for own in ["/", "http://127.0.0.1/", "HTTP://127.0.0.1/"] {
            assert!(target(Version::HTTP_11, own).is_ok(), "{own}");
        }
        for foreign in ["https://127.0.0.1/", "ftp://127.0.0.1/", "wss://127.0.0.1/"] {
            let refused = target(Version::HTTP_11, foreign);
            assert!(matches!(refused, Err(Error::OtherScheme { .. })), "{foreign}");
        }
        assert!(target(Version::HTTP_2, "https://127.0.0.1/").is_ok(), "something before it has ended TLS");
        assert!(matches!(target(Version::HTTP_2, "ftp://127.0.0.1/"), Err(Error::OtherScheme { .. })));
        assert!(matches!(target(Version::HTTP_11, "127.0.0.1:80"), Err(Error::Target { .. })));
    }

    #[test]
    fn updates_come_from_no_page_or_from_one_that_is_trusted() {
        let update = |method: Method, origin: &str| {
            let request = http::Request::builder().method(method).uri("/").header("host", "127.0.0.1:8000");
            checked(&rules(), "127.0.0.1", request.header("origin", origin))
        };
        for origin in ["http://127.0.0.1:8000", "https://ours.example"] {
            assert!(update(Method::POST, origin).is_ok(), "{origin}");
        }
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9000", "https://ours.example.evil", "é"] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert!(matches!(update(method, origin), Err(Error::ForeignOrigin { .. })), "{origin}");
            }
            assert!(update(Method::GET, origin).is_ok(), "without leave its page cannot read the answer");
        }
    }
}

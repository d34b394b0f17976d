//! Patterns for hosts outside of the cluster that guests may reach.
//!
//! An operator allows hosts, a descriptor asks for hosts, and an effect goes to one host. All three are compared here
//! and nowhere else, because the comparison decides about security.

use std::str::FromStr;

/// Names hosts: `example.com` (on every port), `example.com:8443`, `*.example.com` (every host below it, at any depth).
///
/// Host names are compared without regard to case, as DNS does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    below: bool,
    name: String,
    port: Option<u16>,
}

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a host: write example.com, example.com:8443 or *.example.com")]
pub struct NoHost;

impl FromStr for HostPattern {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<HostPattern, NoHost> {
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        // The colons of an address of IPv6 stand within brackets, the one of a port behind them.
        let (name, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| NoHost)?)),
            None => (rest, None),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(NoHost);
        }
        Ok(HostPattern { below, name: name.to_ascii_lowercase(), port })
    }
}

impl HostPattern {
    /// Returns true if the pattern names this port of this host.
    pub fn names(&self, host: &str, port: u16) -> bool {
        self.has(&host.to_ascii_lowercase(), false) && self.port.is_none_or(|own| own == port)
    }

    /// Returns true if the pattern names every port of every host that `other` names.
    pub fn covers(&self, other: &HostPattern) -> bool {
        self.has(&other.name, other.below) && (self.port.is_none() || self.port == other.port)
    }

    fn has(&self, name: &str, below: bool) -> bool {
        match self.below {
            true if below && name == self.name => true,
            true => name.strip_suffix(&self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            false => !below && name == self.name,
        }
    }
}

/// What a descriptor may ask for instead of hosts: all that the operator allows.
pub const ALL_ALLOWED: &str = "*";

/// Headers of a request to a host outside that belong to the transport, or that say by whom and on whose behalf it came: what a guest
/// says there does not go out.
const HOSTS: [&str; 14] = [
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
];

/// Beginnings of headers that are told apart from others by those who receive them: words of nodes, and of proxies.
const HOSTS_BELOW: [&str; 3] = ["proxy-", "x-forwarded-", "x-steward-"];

/// Returns true if only the host itself says what stands in this header of a request to a host outside.
pub fn is_hosts(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HOSTS.contains(&name.as_str()) || HOSTS_BELOW.iter().any(|below| name.starts_with(below))
}

/// Returns the port to which a request with a URI of this scheme goes, given the port that stands in it.
pub fn port_of(scheme: Option<&str>, stated: Option<u16>) -> u16 {
    stated.unwrap_or(if scheme == Some("https") { 443 } else { 80 })
}

/// Returns true if one of these patterns names this port of this host; a text that is no pattern names nothing.
pub fn allows(patterns: &[String], host: &str, port: u16) -> bool {
    patterns.iter().filter_map(|text| text.parse::<HostPattern>().ok()).any(|pattern| pattern.names(host, port))
}

/// Returns those of the wanted patterns that the allowed ones cover; all allowed ones if [`ALL_ALLOWED`] is wanted.
pub fn granted(allowed: &[String], wanted: &[String]) -> Vec<String> {
    if wanted.iter().any(|wanted| wanted == ALL_ALLOWED) {
        return allowed.to_vec();
    }
    let allowed: Vec<HostPattern> = allowed.iter().filter_map(|text| text.parse().ok()).collect();
    let covered = |text: &&String| {
        text.parse::<HostPattern>().is_ok_and(|wanted| allowed.iter().any(|pattern| pattern.covers(&wanted)))
    };
    wanted.iter().filter(covered).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_pattern_names_hosts_in_any_case_and_on_its_ports() {
        let patterns = texts(&["api.example.com", "*.Example.org:8080", "[::1]:9"]);
        for (host, port, named) in [
            ("api.example.com", 80, true),
            ("API.example.com", 81, true),
            ("a.example.org", 8080, true),
            ("A.B.EXAMPLE.ORG", 8080, true),
            ("a.example.org", 80, false),
            ("example.org", 8080, false),
            (".example.org", 8080, false),
            ("evilexample.org", 8080, false),
            ("[::1]", 9, true),
            ("[::1]", 8, false),
        ] {
            assert_eq!(allows(&patterns, host, port), named, "{host}:{port}");
        }
    }

    #[test]
    fn only_what_is_covered_whole_is_granted() {
        let wanted = texts(&["a.example.com", "example.com", "b.org:81", "*.b.example.com", "A.Example.com:82"]);
        let got = |allowed: &[&str]| granted(&texts(allowed), &wanted);
        assert_eq!(got(&[]), texts(&[]));
        assert_eq!(got(&["*.example.com"]), texts(&["a.example.com", "*.b.example.com", "A.Example.com:82"]));
        assert_eq!(got(&["example.com", "b.org:81"]), texts(&["example.com", "b.org:81"]));
        assert_eq!(got(&["a.example.com:82"]), texts(&["A.Example.com:82"]), "one port is not all of them");
        assert_eq!(got(&["*.b.example.com", "b.example.com"]), texts(&["*.b.example.com"]));
        let (allowed, all) = (texts(&["a.org", "*.b.org:81"]), texts(&[ALL_ALLOWED]));
        assert_eq!(granted(&allowed, &all), allowed);
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in ["", "*.", "http://a", "a b", "a:port", "a:70000"] {
            assert_eq!(text.parse::<HostPattern>(), Err(NoHost), "{text:?}");
        }
    }
}

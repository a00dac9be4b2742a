//! Which Host a listener on loopback answers to. A page of a foreign site can reach such a listener through a name that site points at
//! 127.0.0.1 (DNS rebinding); the name then stands in Host, and nothing else tells such a request from one of this machine's own.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

/// The hosts of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// The listener's address if it is one of loopback; any other is called by names only its operator knows.
    loopback: Option<IpAddr>,
}

impl Hosts {
    /// The hosts of a listener at `listen`.
    pub fn of(listen: SocketAddr) -> Self {
        Self { loopback: Some(listen.ip()).filter(IpAddr::is_loopback) }
    }

    /// Whether a request with these headers means this listener.
    pub fn allows(self, headers: &HeaderMap) -> bool {
        let Some(own) = self.loopback else { return true };
        let mut fields = headers.get_all(HOST).iter();
        let authority = fields.next().and_then(|field| Authority::try_from(field.as_bytes()).ok());
        let Some(authority) = authority.filter(|authority| fields.next().is_none() && !authority.as_str().contains('@')) else { return false };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip == own || ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(listen: &str, fields: &[&str]) -> bool {
        let headers = fields.iter().map(|field| (HOST, field.parse().expect("a field"))).collect();
        Hosts::of(listen.parse().expect("an address")).allows(&headers)
    }

    #[test]
    fn a_foreign_name_does_not_reach_loopback() {
        for host in ["127.0.0.1", "127.0.0.1:9090", "localhost", "LOCALHOST:9090", "[::1]:9090", "127.8.8.8"] {
            assert!(allows("127.0.0.1:9090", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:9090",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "a@127.0.0.1",
            "::1",
            "127.0.0.1 ",
        ] {
            assert!(!allows("127.0.0.1:9090", &[host]), "{host}");
        }
        assert!(!allows("127.0.0.1:9090", &[]) && !allows("127.0.0.1:9090", &["localhost", "evil.example"]));
        assert!(allows("[::1]:9090", &["[::1]:9090"]) && !allows("[::1]:9090", &["evil.example"]));
        assert!(allows("0.0.0.0:9090", &["metrics.shop.example"]), "an operator's own name");
    }
}

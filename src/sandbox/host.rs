//! Whom the sandbox takes itself for. It asks nobody who they are and listens on loopback, where a web page could reach it through a name that
//! points at 127.0.0.1 (DNS rebinding): such a name stands in Host, and is refused.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;

/// Whether a request with these headers means a listener at `listen`; one that is not on loopback is called by names of its operator's.
pub(super) fn is_ours(headers: &HeaderMap, listen: SocketAddr) -> bool {
    if !listen.ip().is_loopback() {
        return true;
    }
    let hosts: Vec<_> = headers.get_all(HOST).iter().map(|value| Authority::try_from(value.as_bytes())).collect();
    let [Ok(authority)] = hosts.as_slice() else { return false };
    match authority.host() {
        host if host.eq_ignore_ascii_case("localhost") => !authority.as_str().contains('@'),
        host => host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback()) && !authority.as_str().contains('@'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_lead_here() {
        let ours = |listen: &str, host: &str| {
            let headers = HeaderMap::from_iter([(HOST, host.parse().expect("a field"))]);
            is_ours(&headers, listen.parse().expect("an address"))
        };
        for host in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"] {
            assert!(ours("127.0.0.1:8081", host), "{host}");
        }
        for host in ["evil.example:8081", "127.0.0.1.evil.example", "a@localhost", "10.0.0.7"] {
            assert!(!ours("127.0.0.1:8081", host), "{host}");
        }
        assert!(ours("0.0.0.0:8081", "sandbox.shop.example"));
        assert!(!is_ours(&HeaderMap::new(), "127.0.0.1:8081".parse().expect("an address")));
    }
}

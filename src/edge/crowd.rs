//! What one address may take: connections, and wrong keys. An address is an IPv4 address or the /64 of an IPv6 address: whoever has one address
//! of such a network has all of it. Behind a proxy every client has the proxy's.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong keys an address may send in a [`WINDOW`].
const WRONG_KEYS_MAX: u32 = 20;

/// Since the first wrong key.
const WINDOW: Duration = Duration::from_secs(60);

/// Most addresses whose wrong keys are counted at once; the oldest count is given up for a new one.
const ADDRESSES_MAX: usize = 4_096;

fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

/// Open connections by address; as many entries as there are connections at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Connections {
    /// One more connection of `ip`; `None` if it has `max` already.
    pub(super) fn one_more(&self, ip: IpAddr, max: usize) -> Option<Counted> {
        let ip = network(ip);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(ip).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Counted { connections: self.clone(), ip })
    }
}

/// A connection that counts as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    connections: Connections,
    ip: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.ip);
            }
        }
    }
}

/// Wrong keys by address.
#[derive(Debug, Default)]
pub(super) struct WrongKeys(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Clone, Copy, Debug)]
struct Wrong {
    since: Instant,
    count: u32,
}

impl WrongKeys {
    /// How long `ip` has to wait until it may be wrong again; `None` if it may be now.
    pub(super) fn wait(&self, ip: IpAddr) -> Option<Duration> {
        let now = Instant::now();
        let spent = self.counts().get(&network(ip)).copied().filter(|wrong| wrong.count >= WRONG_KEYS_MAX && !wrong.is_over(now))?;
        Some((spent.since + WINDOW).saturating_duration_since(now))
    }

    /// Notes a wrong key of `ip`.
    pub(super) fn note(&self, ip: IpAddr) {
        let (ip, now) = (network(ip), Instant::now());
        let mut counts = self.counts();
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&ip) {
            counts.retain(|_, wrong| !wrong.is_over(now));
        }
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&ip) {
            let oldest = counts.iter().min_by_key(|(_, wrong)| wrong.since).map(|(ip, _)| *ip);
            oldest.and_then(|ip| counts.remove(&ip));
        }
        let wrong = counts.entry(ip).or_insert(Wrong { since: now, count: 0 });
        if wrong.is_over(now) {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count = wrong.count.saturating_add(1);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wrong {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.since + WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn connections_count_as_long_as_they_live() {
        let connections = Connections::default();
        let (first, second) = (connections.one_more(ip("10.0.0.1"), 2), connections.one_more(ip("::ffff:10.0.0.1"), 2));
        assert!(first.is_some() && second.is_some() && connections.one_more(ip("10.0.0.1"), 2).is_none());
        let other = connections.one_more(ip("10.0.0.2"), 2);
        assert!(other.is_some());
        drop(first);
        assert!(connections.one_more(ip("10.0.0.1"), 2).is_some());
        drop((second, other));
        assert!(connections.0.lock().expect("not poisoned").is_empty());
    }

    #[test]
    fn a_network_of_one_owner_is_one_address() {
        let connections = Connections::default();
        let _first = connections.one_more(ip("2001:db8::1"), 1).expect("the first");
        assert!(connections.one_more(ip("2001:db8::2"), 1).is_none());
        assert!(connections.one_more(ip("2001:db8:0:1::1"), 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_wrong_keys_a_minute_and_not_one_address_too_many() {
        let wrong = WrongKeys::default();
        for _ in 0..WRONG_KEYS_MAX {
            assert_eq!(wrong.wait(ip("10.0.0.1")), None);
            wrong.note(ip("10.0.0.1"));
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(wrong.wait(ip("10.0.0.1")), Some(Duration::from_secs(50)));
        assert_eq!(wrong.wait(ip("10.0.0.2")), None);
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(wrong.wait(ip("10.0.0.1")), None);
        wrong.note(ip("10.0.0.1"));
        assert_eq!(wrong.wait(ip("10.0.0.1")), None, "counted anew");
        for n in 0..5_000u32 {
            wrong.note(IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(wrong.counts().len(), ADDRESSES_MAX);
    }
}

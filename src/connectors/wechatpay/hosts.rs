//! The rail's two hosts. A call changes over only while it is certain, or harmless not to know, that the first did not take it: no
//! connection, or no answer to a question. An answer, whatever it says, is never a reason.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

/// How often in a row the primary host may fail before calls begin at the backup.
const FAILURES_MAX: u32 = 2;

/// How long they then begin there; after it the primary is tried again.
const BACKUP_FOR: Duration = Duration::from_secs(180);

/// The vendor's hosts that have a backup.
const KNOWN: [(&str, &str); 2] = [("api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"), ("api.wechatpay.cn", "api2.wechatpay.cn")];

/// Scheme and host of the rail, and of its backup.
pub(super) struct Hosts {
    primary: String,
    backup: Option<String>,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    /// Failures of the primary since its last answer.
    failures: u32,
    backup_until: Option<Instant>,
}

impl Hosts {
    /// `base` and `backup`, or the backup the vendor has for `base`; `None` if one of them has no scheme or host.
    pub(super) fn new(base: &Uri, backup: Option<&Uri>) -> Option<Self> {
        let origin = |uri: &Uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?));
        let known = || KNOWN.iter().find(|(host, _)| base.scheme_str() == Some("https") && base.host() == Some(host) && base.port().is_none());
        let backup = match backup {
            Some(backup) => Some(origin(backup)?),
            None => known().map(|(_, backup)| format!("https://{backup}")),
        };
        Some(Self { primary: origin(base)?, backup, health: Mutex::default() })
    }

    /// Where a call begins, and where it may go on.
    pub(super) fn order(&self) -> (&str, Option<&str>) {
        let Some(backup) = &self.backup else { return (&self.primary, None) };
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health.backup_until {
            Some(until) if Instant::now() < until => (backup, Some(&self.primary)),
            Some(_) => {
                *health = Health::default();
                (&self.primary, Some(backup))
            }
            None => (&self.primary, Some(backup)),
        }
    }

    /// Takes down whether `host` gave an answer.
    pub(super) fn note(&self, host: &str, answered: bool) {
        if self.backup.is_none() || host != self.primary {
            return;
        }
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            health.failures = 0;
        } else {
            health.failures = health.failures.saturating_add(1);
            if health.failures > FAILURES_MAX && health.backup_until.is_none() {
                health.backup_until = Some(Instant::now() + BACKUP_FOR);
                tracing::warn!(host, "WeChat Pay's host does not answer: calls begin at the backup for three minutes");
            }
        }
    }

    /// Whether `origin` (scheme and host) is one of these.
    pub(super) fn has(&self, origin: &str) -> bool {
        self.primary == origin || self.backup.as_deref() == Some(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(base: &'static str, backup: Option<&'static str>) -> Hosts {
        Hosts::new(&Uri::from_static(base), backup.map(Uri::from_static).as_ref()).expect("hosts")
    }

    #[test]
    fn the_vendors_hosts_have_a_backup_and_others_only_if_told() {
        assert_eq!(hosts("https://api.mch.weixin.qq.com", None).order().1, Some("https://api2.mch.weixin.qq.com"));
        assert_eq!(hosts("http://127.0.0.1:8081", None).order(), ("http://127.0.0.1:8081", None));
        assert_eq!(hosts("http://127.0.0.1:1/x", Some("http://127.0.0.1:2")).order().1, Some("http://127.0.0.1:2"));
        assert!(Hosts::new(&Uri::from_static("/v3"), None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_move_calls_to_the_backup_for_three_minutes() {
        let hosts = hosts("http://a", Some("http://b"));
        for answered in [false, false, true, false, false] {
            hosts.note("http://a", answered);
            hosts.note("http://b", false);
        }
        assert_eq!(hosts.order().0, "http://a", "an answer begins the count again, and the backup has none");
        hosts.note("http://a", false);
        assert_eq!(hosts.order(), ("http://b", Some("http://a")));
        tokio::time::advance(BACKUP_FOR).await;
        assert_eq!(hosts.order(), ("http://a", Some("http://b")));
        hosts.note("http://a", false);
        assert_eq!(hosts.order().0, "http://a", "the count began again too");
    }
}

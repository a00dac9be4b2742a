//! Notices to merchants: what is reported, where to, and how each delivery was answered. A notice is written down before it is first sent and
//! goes on after a restart until it is taken or its schedule ends.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::super::SandboxError;
use super::super::sign::KeyMode;
use super::{Book, Held, Unwritten};
use crate::clock::UnixMs;

/// Most notices one sandbox holds.
const NOTICES_MAX: usize = 2_000_000;

/// A notice.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Its number, the same for every delivery.
    pub(crate) id: String,
    /// The merchant whose APIv3 key seals it.
    pub(crate) mchid: String,
    pub(crate) url: String,
    /// Which of the platform's keys signs it.
    pub(crate) key_mode: KeyMode,
    pub(crate) event_type: String,
    /// What the content is; also the associated data of its seal.
    pub(crate) original_type: String,
    pub(crate) summary: String,
    /// What is sealed.
    pub(crate) content: Value,
    pub(crate) created_at: UnixMs,
    /// When each delivery was made and how it was answered; 0 for no answer.
    pub(crate) deliveries: Vec<(UnixMs, u16)>,
    /// The merchant has taken it.
    pub(crate) is_taken: bool,
}

/// All notices.
#[derive(Debug)]
pub(crate) struct Notices(Book<ById>);

#[derive(Debug, Default)]
struct ById {
    notices: BTreeMap<String, Notice>,
}

impl Notices {
    pub(crate) fn at(path: &Path) -> Result<Self, SandboxError> {
        Book::at(path).map(Self)
    }

    /// Writes a notice down; one that is known already stays as it is.
    pub(crate) fn post(&self, notice: &Notice) -> Result<(), Unwritten> {
        let mut book = self.0.open();
        if book.notices.contains_key(&notice.id) {
            return Ok(());
        }
        if book.notices.len() >= NOTICES_MAX {
            return Err(Unwritten);
        }
        book.note(&json!({
            "is": "posted", "id": notice.id, "mchid": notice.mchid, "url": notice.url, "public_key": notice.key_mode == KeyMode::PublicKey,
            "event_type": notice.event_type, "original_type": notice.original_type, "summary": notice.summary, "content": notice.content,
            "at_ms": notice.created_at.0,
        }))
    }

    /// Writes down a delivery; true once the merchant has taken the notice.
    pub(crate) fn delivered(&self, id: &str, status: u16, now: UnixMs) -> bool {
        let mut book = self.0.open();
        let entry = json!({"is": "delivered", "id": id, "status": status, "at_ms": now.0});
        book.note(&entry).is_ok() && book.notices.get(id).is_some_and(|notice| notice.is_taken)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Notice> {
        self.0.open().notices.get(id).cloned()
    }

    /// Every notice, by its number.
    pub(crate) fn all(&self) -> Vec<Notice> {
        self.0.open().notices.values().cloned().collect()
    }
}

impl Held for ById {
    fn take(&mut self, entry: &Value) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let at = UnixMs(entry["at_ms"].as_i64().unwrap_or_default());
        if entry["is"] == "posted" {
            let notice = Notice {
                id: text("id"),
                mchid: text("mchid"),
                url: text("url"),
                key_mode: if entry["public_key"] == true { KeyMode::PublicKey } else { KeyMode::Certificates },
                event_type: text("event_type"),
                original_type: text("original_type"),
                summary: text("summary"),
                content: entry["content"].clone(),
                created_at: at,
                deliveries: Vec::new(),
                is_taken: false,
            };
            self.notices.insert(text("id"), notice);
        } else if let Some(notice) = self.notices.get_mut(&text("id")) {
            let status = u16::try_from(entry["status"].as_u64().unwrap_or_default()).unwrap_or_default();
            notice.deliveries.push((at, status));
            notice.is_taken |= matches!(status, 200 | 204);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_posted_once_and_found_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notices.jsonl");
        let notice = Notice {
            id: "n-1".into(),
            mchid: "19".into(),
            url: "http://shop/notify".into(),
            key_mode: KeyMode::PublicKey,
            event_type: "REFUND.SUCCESS".into(),
            original_type: "refund".into(),
            summary: "退款成功".into(),
            content: json!({"refund_status": "SUCCESS"}),
            created_at: UnixMs(5),
            deliveries: Vec::new(),
            is_taken: false,
        };
        {
            let notices = Notices::at(&path).expect("opens");
            notices.post(&notice).expect("posted");
            assert!(!notices.delivered("n-1", 500, UnixMs(6)));
            notices.post(&notice).expect("known");
        }
        let notices = Notices::at(&path).expect("opens");
        let found = notices.get("n-1").expect("there");
        assert_eq!((found.deliveries.as_slice(), found.key_mode, &found.content), (&[(UnixMs(6), 500)][..], KeyMode::PublicKey, &notice.content));
        assert!(notices.delivered("n-1", 204, UnixMs(7)) && notices.all().len() == 1);
    }
}

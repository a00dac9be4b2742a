//! What happens because time has passed: refunds end, orders nobody pays are closed.

use serde_json::json;

use super::Open;
use super::order::Order;
use super::orders::{Orders, Trade};
use super::refunds::Refund;
use crate::clock::UnixMs;

impl Orders {
    /// Lets happen what is due; the refunds that ended are to be reported.
    pub(crate) fn ripen(&self, now: UnixMs, closes_at_expiry: bool) -> Vec<(Order, Refund)> {
        let mut book = self.0.open();
        close_due(&mut book, now, closes_at_expiry);
        let mut ended = Vec::new();
        while let Some((_, key)) = book.refunding.first().filter(|(due, _)| *due <= now).cloned() {
            let notice = uuid::Uuid::new_v4().to_string();
            let entry = json!({"is": "refund_ended", "mchid": key.mchid, "no": key.number, "at_ms": now.0, "notice_id": notice});
            if book.note(&entry).is_err() {
                break;
            }
            ended.extend(book.refund_and_order(&key));
        }
        ended
    }

    /// When the next thing is due.
    pub(crate) fn next_due(&self, closes_at_expiry: bool) -> Option<UnixMs> {
        let book = self.0.open();
        let expiring = book.expiring.first().filter(|_| closes_at_expiry);
        [book.refunding.first(), book.ageing.first(), expiring].into_iter().flatten().map(|(due, _)| *due).min()
    }
}

fn close_due(book: &mut Open<'_, Trade>, now: UnixMs, closes_at_expiry: bool) {
    loop {
        let is_due = |entry: &&(UnixMs, super::order::Key)| entry.0 <= now;
        let expired = book.expiring.first().filter(|_| closes_at_expiry).filter(is_due);
        let Some((_, key)) = expired.or_else(|| book.ageing.first().filter(is_due)).cloned() else { return };
        if book.close(&key).is_err() {
            return;
        }
    }
}

//! A notice that is passed on to a merchant, and when it is delivered again.

use crate::clock::UnixMs;
use crate::ids::{MerchantId, PaymentId};

/// Seconds between deliveries: WeChat Pay's own schedule (reference: redelivery), fifteen more after the first, a day and four minutes in all.
const REDELIVERY_SECONDS: [u32; 15] = [15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// What a merchant is told of one of its payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedNotice {
    /// Its place in the outbox.
    pub seq: i64,
    /// Whose payment.
    pub merchant: MerchantId,
    /// Which payment.
    pub payment: PaymentId,
    /// Its name, the same with every delivery.
    pub notice_id: String,
    /// `TRANSACTION.SUCCESS`, …
    pub event_type: String,
    /// Where the merchant wants to be told.
    pub notify_url: String,
    /// What the payment side said, as JSON.
    pub resource: Vec<u8>,
    /// When the news was learned.
    pub created: UnixMs,
    /// How often it was delivered.
    pub deliveries: u32,
    /// The status of the last answer; 0 for none.
    pub answered: Option<u16>,
    /// When it is delivered next; `None` once it is taken, or given up.
    pub next: Option<UnixMs>,
}

impl PassedNotice {
    /// Whether an answer says that the notice is taken: 200 or 204, as with WeChat Pay.
    pub fn is_taken_by(status: u16) -> bool {
        matches!(status, 200 | 204)
    }
}

/// Milliseconds until a notice that was delivered so often, and not taken, is delivered again; `None` when it is given up.
pub fn redeliver_after_ms(deliveries: u32) -> Option<i64> {
    let nth = usize::try_from(deliveries).ok()?.checked_sub(1)?;
    REDELIVERY_SECONDS.get(nth).map(|seconds| i64::from(*seconds) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_wechat_pays_and_ends() {
        assert_eq!(REDELIVERY_SECONDS.iter().sum::<u32>(), 24 * 3_600 + 4 * 60);
        assert_eq!(redeliver_after_ms(1), Some(15_000));
        assert_eq!(redeliver_after_ms(15), Some(21_600_000));
        assert_eq!(redeliver_after_ms(16), None);
        assert!(PassedNotice::is_taken_by(204) && PassedNotice::is_taken_by(200) && !PassedNotice::is_taken_by(302) && !PassedNotice::is_taken_by(0));
    }
}

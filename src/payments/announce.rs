//! Announce: what is in the outbox is delivered to the merchants it is for, and again on WeChat Pay's schedule until it is taken or given up.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::Receiver;

use super::execute::Rails;
use crate::clock::Clock;
use crate::connectors::herald::Herald;
use crate::ids::PaymentId;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::payment::notice::{PassedNotice, redeliver_after_ms};

/// How often the outbox is looked into while nothing is reported.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How soon again at most: many payments in one moment are looked for together.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Most deliveries under way at once. Merchants that never answer hold up others by the answer's time limit at most.
const AT_ONCE: usize = 128;

/// Delivers notices.
#[derive(Clone)]
pub struct Announce {
    /// Where the outbox is.
    pub ledger: Ledger,
    /// Whose keys notices are sealed with.
    pub rails: Rails,
    /// Seals, signs and sends.
    pub herald: Arc<Herald>,
    /// The time of day.
    pub clock: Clock,
    /// Where deliveries are counted.
    pub metrics: Metrics,
}

impl Announce {
    /// Delivers whatever comes due, until the task is cut. A delivery that is cut off is made again at the next start.
    pub async fn run(self) {
        let mut changes = self.ledger.changes();
        let mut under_way = FuturesUnordered::new();
        let mut seqs = HashSet::new();
        loop {
            for notice in self.due(seqs.len()).await {
                if seqs.len() < AT_ONCE && seqs.insert(notice.seq) {
                    under_way.push(self.delivered(notice));
                }
            }
            let look_again = look_again(&mut changes);
            tokio::pin!(look_again);
            loop {
                tokio::select! {
                    Some(seq) = under_way.next() => drop(seqs.remove(&seq)),
                    () = &mut look_again => break,
                }
            }
        }
    }

    async fn due(&self, under_way: usize) -> Vec<PassedNotice> {
        let limit = u32::try_from(AT_ONCE + under_way).unwrap_or(u32::MAX);
        self.ledger.due_notices(self.clock.now(), limit).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "the outbox cannot be read");
            Vec::new()
        })
    }

    async fn delivered(&self, notice: PassedNotice) -> i64 {
        let seq = notice.seq;
        self.deliver(notice).await;
        seq
    }

    async fn deliver(&self, notice: PassedNotice) {
        let status = match self.rails.get(&notice.merchant) {
            Some(rail) => self.herald.deliver(&rail.connector, &notice).await,
            None => {
                tracing::error!(merchant = %notice.merchant, "a notice for a merchant without an account: put its [merchant.wechatpay] back");
                0
            }
        };
        let outcome = match status {
            _ if PassedNotice::is_taken_by(status) => "taken",
            _ if redeliver_after_ms(notice.deliveries.saturating_add(1)).is_none() => {
                tracing::error!(payment = %notice.payment, merchant = %notice.merchant, status, "a merchant took no notice of its payment for a day: it is given up");
                "given_up"
            }
            0 => "unreachable",
            _ => "refused",
        };
        self.metrics.passed_notices.with_label_values(&[outcome]).inc();
        if let Err(error) = self.ledger.notice_delivered(&notice, status).await {
            tracing::error!(payment = %notice.payment, %error, "a delivery could not be written down: it is made again");
        }
    }
}

/// Waits until the outbox should be looked into again.
async fn look_again(changes: &mut Receiver<PaymentId>) {
    tokio::select! {
        () = tokio::time::sleep(LOOK_EVERY) => {}
        // Whether one was reported or many were missed is all the same.
        _ = changes.recv() => {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            *changes = changes.resubscribe();
        }
    }
}

#[cfg(test)]
mod tests;

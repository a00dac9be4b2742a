//! Admit: a merchant's inference limit. Over it a question is refused with the true wait, unless its order is determined without a model:
//! then it goes on by the classic path.

use crate::chat::call::{ChatCall, Path};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pipeline::{Next, Reply, Step};
use crate::refusal::{Kind, Refusal};

/// The step.
pub struct Admit {
    /// Counts what merchants use.
    pub limits: Limits,
    /// Where verdicts are counted.
    pub metrics: Metrics,
}

impl Step for Admit {
    async fn call(&self, mut call: ChatCall, next: &Next) -> Reply {
        let merchant = &call.merchant;
        let verdict = |word| self.metrics.admissions.with_label_values(&[merchant.id.as_str(), word]).inc();
        match self.limits.take(&merchant.id, merchant.inference_per_second) {
            Ok(()) => verdict("admitted"),
            Err(_) if call.payment.as_ref().is_some_and(|part| part.determined.is_some()) => {
                verdict("classic");
                call.path = Path::Classic;
            }
            Err(retry_after) => {
                verdict("limited");
                let message = format!(
                    "The limit of {} inferences a second is spent. Wait {} ms, or send the order in `payment` so that it can go on without a model.",
                    merchant.inference_per_second,
                    retry_after.as_millis() + 1
                );
                return Err(Refusal::new(Kind::RateLimited { retry_after }, "rate_limit_exceeded", message));
            }
        }
        next.ask(call).await
    }
}

//! A chat call: one question of one merchant on its way through the stack.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::request::ChatRequest;
use crate::ids::{Fingerprint, RequestId};
use crate::language::Language;
use crate::merchant::Merchant;
use crate::payment::context::PaymentContext;
use crate::payment::function::PaymentFunction;
use crate::payment::record::Identity;
use crate::payment::terms::Terms;

/// One question. Cannot be built without a merchant: whoever holds one has been identified.
#[derive(Clone, Debug)]
pub struct ChatCall {
    /// For the log and for `x-request-id`.
    pub request_id: RequestId,
    /// Who asks.
    pub merchant: Arc<Merchant>,
    /// What is asked.
    pub request: ChatRequest,
    /// What a payment needs; `None` on the pass-through path.
    pub payment: Option<Arc<PaymentPart>>,
    /// By which way an order may be determined.
    pub path: Path,
    /// When everything must have ended.
    pub deadline: Instant,
    /// Measures how long others kept us waiting.
    pub stopwatch: Arc<Stopwatch>,
}

/// The payment side of a question: present when a payment function may be called in answering it.
#[derive(Clone, Debug)]
pub struct PaymentPart {
    /// The functions fengate carries out itself.
    pub functions: Vec<PaymentFunction>,
    /// What the merchant vouches for.
    pub context: PaymentContext,
    /// The user's own words: the text of each user message, in order.
    pub user_words: Vec<String>,
    /// What makes a repetition the same payment.
    pub identity: Identity,
    /// The order, where the trusted context determines it fully and the user plainly asks to pay it: what may go on without a model.
    pub determined: Option<Terms>,
    /// Which request this is.
    pub fingerprint: Fingerprint,
    /// The caller's language.
    pub language: Language,
}

/// By which way an order may be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A model is asked.
    Model,
    /// Inference was refused: only what the trusted context determines may go on.
    Classic,
}

/// How long providers and payment rails kept a call waiting: total time less this is fengate's own overhead.
#[derive(Debug, Default)]
pub struct Stopwatch {
    waited_ns: AtomicU64,
}

impl Stopwatch {
    /// Adds a wait for someone else.
    pub fn waited(&self, wait: Duration) {
        self.waited_ns.fetch_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// All waits so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.waited_ns.load(Ordering::Relaxed))
    }
}

//! Usage: the tokens one attempt at a provider used, and the record kept of it.

use crate::ids::{MerchantId, RequestId};

/// The most tokens that are believed of one direction of one attempt: far beyond the largest context there is, and no sum of such overflows.
pub const TOKENS_MAX: u64 = 100_000_000;

/// Tokens, as the provider counts them. Never negative; sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the request, cached ones included (OpenAI's way of counting).
    pub prompt_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub completion_tokens: u64,
    /// A count was negative or over [`TOKENS_MAX`], and stands at the nearest that is believed.
    pub implausible: bool,
}

impl Usage {
    /// Both together.
    pub fn total(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// This and `other`: several turns of one question.
    pub fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
            implausible: self.implausible || other.implausible,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A whole answer, or a stream that came to its end.
    Complete,
    /// The provider answered with an error, or nothing usable.
    Failed,
    /// A stream that broke off after its first byte.
    Cut,
    /// The caller went away first.
    Abandoned,
}

impl Outcome {
    /// The word in metrics and in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Complete, Self::Failed, Self::Cut, Self::Abandoned].into_iter().find(|outcome| outcome.name() == name)
    }
}

/// One attempt at one provider: exactly one of these exists for each, however it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// The caller's request.
    pub request_id: RequestId,
    /// Who asked.
    pub merchant: MerchantId,
    /// Which provider of `routes.toml`.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// What the provider reported; `None` if it reported nothing (the cost is then unknown, not zero).
    pub usage: Option<Usage>,
    /// From sending to the last byte, in milliseconds.
    pub duration_ms: u64,
}

//! Switches of the desk: how this platform behaves where the real one may behave in several ways. They are as they were built after a restart.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::book::refunds::{Course, Status};

/// Longest a refund may be told to take: 30 days, in milliseconds.
const REFUND_MS_MAX: i64 = 30 * 86_400_000;

/// How refunds end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Outcome {
    #[default]
    Success,
    Abnormal,
    Closed,
}

/// All switches.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Switches {
    /// How long a refund takes, in milliseconds.
    refund_ms: i64,
    /// How refunds that are accepted from now on end.
    refund_outcome: Outcome,
    /// Shortest time between two refunds of one order, in milliseconds: a minute by the documents, none here unless it is set.
    refund_gap_ms: i64,
    /// The merchants' balances are short: refunds are refused with NOT_ENOUGH.
    pub(super) balance_short: bool,
    /// Unpaid orders are closed at their `time_expire`, not only after seven days.
    pub(super) close_at_expiry: bool,
    /// Errors to callers whose signature held are signed.
    pub(super) sign_errors: bool,
    /// Requests a second one merchant may make on any one path; where it is absent the documented figures hold, and no figure means no limit.
    pub(super) per_second_max: Option<u32>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            refund_ms: 0,
            refund_outcome: Outcome::default(),
            refund_gap_ms: 0,
            balance_short: false,
            close_at_expiry: false,
            sign_errors: true,
            per_second_max: None,
        }
    }
}

impl Switches {
    /// How refunds go.
    pub(super) fn course(&self) -> Course {
        let becomes = match self.refund_outcome {
            Outcome::Success => Status::Success,
            Outcome::Abnormal => Status::Abnormal,
            Outcome::Closed => Status::Closed,
        };
        Course { takes_ms: self.refund_ms, becomes, gap_ms: self.refund_gap_ms }
    }
}

/// The switches as they are now.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Switches>);

impl Board {
    pub(super) fn now(&self) -> Switches {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets all switches anew; what is not named is as it was built.
    pub(super) fn set(&self, json: &[u8]) -> Result<Switches, String> {
        let switches: Switches = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let fine = |ms: i64| (0..=REFUND_MS_MAX).contains(&ms);
        if !fine(switches.refund_ms) || !fine(switches.refund_gap_ms) {
            return Err(format!("refund_ms and refund_gap_ms are 0 to {REFUND_MS_MAX}"));
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = switches.clone();
        Ok(switches)
    }
}

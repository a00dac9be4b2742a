//! Where a payment stands and what may move it: the whole state machine in one function, [`next`].

/// Where a payment stands. `Unknown` is a state of its own: neither success nor failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Recorded, durable; the order may or may not have been sent yet.
    Created,
    /// Sent, and the outcome could not be learned. Ended only by a verified answer or notice.
    Unknown,
    /// The order exists at the payment side and waits for the payer.
    AwaitingUser,
    /// Paid: a verified notice or query said so.
    Paid,
    /// Closed at the payment side without being paid.
    Closed,
    /// The payment side definitely made no order.
    Failed,
}

impl State {
    /// Every state, in the order of a payment's life.
    pub const ALL: [Self; 6] = [Self::Created, Self::Unknown, Self::AwaitingUser, Self::Paid, Self::Closed, Self::Failed];

    /// The word in payment objects, metrics and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unknown => "unknown",
            Self::AwaitingUser => "awaiting_user",
            Self::Paid => "paid",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is expected to happen by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Closed | Self::Failed)
    }
}

/// What can be learned about a payment, always from a verified answer, a verified notice, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The payment side made the order, or has it still open.
    Ordered {
        /// The text of the QR code the payer scans.
        code_url: String,
    },
    /// The order was sent and its outcome could not be learned.
    OutcomeUnknown {
        /// Why, for the audit trail.
        why: String,
    },
    /// The payment side refused the order and made nothing.
    Refused {
        /// Its code and text, for the audit trail.
        why: String,
    },
    /// The payer paid. Everything of the notice or answer has been matched against the ledger before this can be said.
    Paid {
        /// WeChat Pay's number of the transaction.
        transaction_id: String,
        /// RFC 3339 time of payment, as the payment side states it.
        success_time: String,
    },
    /// The order was closed unpaid.
    Closed,
}

impl Event {
    /// The word kept in the audit trail.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ordered { .. } => "ordered",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Refused { .. } => "refused",
            Self::Paid { .. } => "paid",
            Self::Closed => "closed",
        }
    }
}

/// What an event does to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It moves to this state (or renews what it holds in the same state).
    To(State),
    /// It is already known: nothing changes and nobody need worry.
    Known,
    /// It contradicts what is recorded: nothing changes, and a person must look (an exception, with an alarm).
    Contradicts,
}

/// The state machine. Pure; final states never change.
pub fn next(state: State, event: &Event) -> Step {
    use State::{AwaitingUser, Closed, Created, Failed, Paid, Unknown};
    match (state, event) {
        (Created | Unknown | AwaitingUser, Event::Ordered { .. }) => Step::To(AwaitingUser),
        (Created, Event::OutcomeUnknown { .. }) => Step::To(Unknown),
        (Created | Unknown, Event::Refused { .. }) => Step::To(Failed),
        (Created | Unknown | AwaitingUser, Event::Paid { .. }) => Step::To(Paid),
        (Created | Unknown | AwaitingUser, Event::Closed) => Step::To(Closed),
        // A late or repeated word about something already known.
        (Paid, Event::Ordered { .. } | Event::OutcomeUnknown { .. } | Event::Paid { .. })
        | (Unknown | AwaitingUser | Closed | Failed, Event::OutcomeUnknown { .. })
        | (Closed, Event::Closed | Event::Refused { .. })
        | (Failed, Event::Refused { .. } | Event::Closed) => Step::Known,
        // Money or an order where there should be none, or the reverse.
        (Paid, Event::Closed | Event::Refused { .. })
        | (Closed | Failed, Event::Paid { .. } | Event::Ordered { .. })
        | (AwaitingUser, Event::Refused { .. }) => Step::Contradicts,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(n: u8) -> Event {
        match n % 5 {
            0 => Event::Ordered { code_url: "weixin://x".into() },
            1 => Event::OutcomeUnknown { why: "timeout".into() },
            2 => Event::Refused { why: "PARAM_ERROR".into() },
            3 => Event::Paid { transaction_id: "42".into(), success_time: "2026-01-01T08:00:00+08:00".into() },
            _ => Event::Closed,
        }
    }

    #[test]
    fn names_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
    }

    #[test]
    fn a_success_on_a_dead_order_is_never_dropped_silently() {
        for state in [State::Closed, State::Failed] {
            assert_eq!(next(state, &event(3)), Step::Contradicts);
        }
    }

    proptest! {
        #[test]
        fn a_final_state_never_changes(events in proptest::collection::vec(0u8..5, 0..60)) {
            let mut state = State::Created;
            for n in events {
                if let Step::To(to) = next(state, &event(n)) {
                    prop_assert!(!state.is_final(), "{state:?} moved to {to:?}");
                    prop_assert!(to != State::Created, "nothing becomes new again");
                    state = to;
                }
            }
        }
    }
}

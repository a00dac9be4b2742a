//! Where a refund stands and what may move it: [`next`]; and what several refunds make of their payment: [`stand`].

use super::state::Refunds;

/// Where a refund stands. Accepted is not refunded, and unknown is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Recorded, durable; it may or may not have been sent yet.
    Created,
    /// Sent, and the outcome could not be learned. Asked about under the same number until it is.
    Unknown,
    /// The merchant's balance was short: nothing was made, and the same bytes are sent again later.
    Waiting,
    /// The rail has accepted it; the money is on its way.
    Processing,
    /// The origin cannot take the money back (a card that is gone): a person has to name another way at the rail.
    Abnormal,
    /// The money is back.
    Refunded,
    /// Nothing was given back, and nothing will be under this number: refused, or closed at the rail.
    Failed,
}

impl RefundState {
    /// Every state, in the order of a refund's life.
    pub const ALL: [Self; 7] = [Self::Created, Self::Unknown, Self::Waiting, Self::Processing, Self::Abnormal, Self::Refunded, Self::Failed];

    /// The word in payment objects, metrics and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Abnormal => "abnormal",
            Self::Refunded => "refunded",
            Self::Failed => "failed",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it never changes again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Refunded | Self::Failed)
    }

    /// Whether nobody knows yet if the rail has it. No second refund of the payment may start meanwhile.
    pub fn is_in_doubt(self) -> bool {
        matches!(self, Self::Created | Self::Unknown | Self::Waiting)
    }
}

/// What can be learned about a refund, always from a verified answer, a verified notice, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundEvent {
    /// It was sent and its outcome could not be learned.
    OutcomeUnknown {
        /// Why, for the audit trail.
        why: String,
    },
    /// The merchant's balance is short: nothing was made.
    NotEnough {
        /// The rail's code and text.
        why: String,
    },
    /// The rail refused it and made nothing.
    Refused {
        /// The rail's code and text.
        why: String,
    },
    /// The rail has it, under this number of its own.
    Accepted {
        /// The rail's number of the refund.
        refund_id: String,
    },
    /// The origin cannot take the money.
    Abnormal {
        /// The rail's number of the refund.
        refund_id: String,
    },
    /// The money is back. Everything has been matched against the ledger before this can be said.
    Refunded {
        /// The rail's number of the refund.
        refund_id: String,
        /// RFC 3339, as the rail states it.
        success_time: String,
    },
    /// The rail closed it: no money moved.
    Closed {
        /// The rail's number of the refund.
        refund_id: String,
    },
}

impl RefundEvent {
    /// The word kept in the audit trail.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OutcomeUnknown { .. } => "refund_outcome_unknown",
            Self::NotEnough { .. } => "refund_not_enough",
            Self::Refused { .. } => "refund_refused",
            Self::Accepted { .. } => "refund_accepted",
            Self::Abnormal { .. } => "refund_abnormal",
            Self::Refunded { .. } => "refund_made",
            Self::Closed { .. } => "refund_closed",
        }
    }
}

/// What an event does to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStep {
    /// It moves to this state.
    To(RefundState),
    /// It is already known.
    Known,
    /// It contradicts what is recorded: nothing changes, and a person must look.
    Contradicts,
}

/// The state machine. Pure; final states never change.
pub fn next(state: RefundState, event: &RefundEvent) -> RefundStep {
    use RefundState::{Abnormal, Created, Failed, Processing, Refunded, Unknown, Waiting};
    match (state, event) {
        (Created | Unknown | Waiting, RefundEvent::Accepted { .. }) => RefundStep::To(Processing),
        (Created | Unknown | Waiting | Processing, RefundEvent::Abnormal { .. }) => RefundStep::To(Abnormal),
        (Created | Unknown | Waiting | Processing | Abnormal, RefundEvent::Refunded { .. }) => RefundStep::To(Refunded),
        (Created | Unknown | Waiting | Processing | Abnormal, RefundEvent::Closed { .. }) => RefundStep::To(Failed),
        (Created | Unknown | Waiting, RefundEvent::Refused { .. }) => RefundStep::To(Failed),
        (Created | Unknown, RefundEvent::NotEnough { .. }) => RefundStep::To(Waiting),
        (Created | Waiting, RefundEvent::OutcomeUnknown { .. }) => RefundStep::To(Unknown),
        // A late or repeated word. Notices come in any order: one of the trouble before the success says nothing new after it.
        (Unknown | Processing | Abnormal | Refunded | Failed, RefundEvent::OutcomeUnknown { .. })
        | (Waiting | Failed, RefundEvent::NotEnough { .. })
        | (Processing | Abnormal | Refunded, RefundEvent::Accepted { .. })
        | (Abnormal | Refunded, RefundEvent::Abnormal { .. })
        | (Refunded, RefundEvent::Refunded { .. })
        | (Failed, RefundEvent::Closed { .. } | RefundEvent::Refused { .. }) => RefundStep::Known,
        // The rail denies what it has accepted, or moves money for a refund that is dead.
        (Processing | Abnormal | Refunded, RefundEvent::NotEnough { .. } | RefundEvent::Refused { .. })
        | (Refunded, RefundEvent::Closed { .. })
        | (Failed, RefundEvent::Accepted { .. } | RefundEvent::Abnormal { .. } | RefundEvent::Refunded { .. }) => RefundStep::Contradicts,
    }
}

/// How the refunds of a payment of `paid_minor` stand, when `refunded_minor` has been given back and `open` are not final.
pub fn stand(paid_minor: i64, refunded_minor: i64, open: u32) -> Refunds {
    match (open, refunded_minor) {
        (1.., _) => Refunds::UnderWay,
        (0, 0) => Refunds::Nothing,
        (0, refunded) if refunded < paid_minor => Refunds::Part,
        (0, _) => Refunds::Whole,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(n: u8) -> RefundEvent {
        let (why, refund_id) = ("NOT_ENOUGH".to_owned(), "50".to_owned());
        match n % 7 {
            0 => RefundEvent::OutcomeUnknown { why },
            1 => RefundEvent::NotEnough { why },
            2 => RefundEvent::Refused { why },
            3 => RefundEvent::Accepted { refund_id },
            4 => RefundEvent::Abnormal { refund_id },
            5 => RefundEvent::Refunded { refund_id, success_time: "2026-01-01T08:00:00+08:00".to_owned() },
            _ => RefundEvent::Closed { refund_id },
        }
    }

    /// Every pair: `-` known, `!` contradiction, else the first letter of the state it moves to.
    #[test]
    fn the_table() {
        let table = [
            // unknown, not enough, refused, accepted, abnormal, refunded, closed
            (RefundState::Created, "uwfparf"),
            (RefundState::Unknown, "-wfparf"),
            (RefundState::Waiting, "u-fparf"),
            (RefundState::Processing, "-!!-arf"),
            (RefundState::Abnormal, "-!!--rf"),
            (RefundState::Refunded, "-!!---!"),
            (RefundState::Failed, "---!!!-"),
        ];
        assert_eq!(table.len(), RefundState::ALL.len());
        for (state, row) in table {
            let read: String = (0..7)
                .map(|n| match next(state, &event(n)) {
                    RefundStep::Known => '-',
                    RefundStep::Contradicts => '!',
                    RefundStep::To(to) => to.name().chars().next().unwrap_or('?'),
                })
                .collect();
            assert_eq!(read, row, "{state:?}");
            assert_eq!(RefundState::from_name(state.name()), Some(state));
        }
    }

    #[test]
    fn several_refunds_add_up() {
        assert_eq!(stand(100, 0, 0), Refunds::Nothing);
        assert_eq!(stand(100, 40, 1), Refunds::UnderWay);
        assert_eq!(stand(100, 40, 0), Refunds::Part);
        assert_eq!(stand(100, 100, 0), Refunds::Whole);
    }

    proptest! {
        #[test]
        fn a_final_state_never_changes(events in proptest::collection::vec(0u8..7, 0..60)) {
            let mut state = RefundState::Created;
            for n in events {
                if let RefundStep::To(to) = next(state, &event(n)) {
                    prop_assert!(!state.is_final(), "{state:?} moved to {to:?}");
                    prop_assert!(to != RefundState::Created, "nothing becomes new again");
                    prop_assert!(state.is_in_doubt() || !to.is_in_doubt(), "what the rail has accepted is not in doubt again");
                    state = to;
                }
            }
        }
    }
}

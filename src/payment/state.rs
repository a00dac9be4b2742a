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
    /// Paid: a verified notice or query said so. Nothing has been given back.
    Paid,
    /// Paid, and a refund is under way: recorded, and not yet known to have ended.
    Refunding,
    /// Paid, and a part of it was given back.
    PartiallyRefunded,
    /// Paid, and all of it was given back.
    Refunded,
    /// Closed at the payment side without being paid.
    Closed,
    /// The payment side definitely made no order.
    Failed,
}

impl State {
    /// Every state, in the order of a payment's life.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Unknown,
        Self::AwaitingUser,
        Self::Paid,
        Self::Refunding,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Closed,
        Self::Failed,
    ];

    /// The word in payment objects, metrics and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unknown => "unknown",
            Self::AwaitingUser => "awaiting_user",
            Self::Paid => "paid",
            Self::Refunding => "refunding",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// Reads that word back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is expected to happen by itself. Of these, `Closed`, `Failed` and `Refunded` never change again; `Paid` and
    /// `PartiallyRefunded` change only when somebody starts a refund.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded | Self::Refunded | Self::Closed | Self::Failed)
    }

    /// Whether the payer's money came in, whatever of it went back since.
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Paid | Self::Refunding | Self::PartiallyRefunded | Self::Refunded)
    }
}

/// What can be learned about a payment, always from a verified answer, a verified notice, or the lack of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The payment side made the order, or has it still open.
    Ordered {
        /// What the payer's side begins with: the text of a QR code; for other kinds of orders a `prepay_id` or an address.
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
        /// All that the payment side said of it, as JSON: what is passed on to a merchant who wants to be told.
        evidence: Vec<u8>,
    },
    /// The order was closed unpaid.
    Closed,
    /// A refund of it was recorded or moved: how all its refunds stand now. Only the ledger, which adds them up, can say this.
    Refunds(Refunds),
}

/// How the refunds of one payment stand, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refunds {
    /// Nothing was given back, and nothing is under way.
    Nothing,
    /// At least one is not yet known to have ended.
    UnderWay,
    /// None is under way, and a part was given back.
    Part,
    /// None is under way, and all was given back.
    Whole,
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
            Self::Refunds(_) => "refunds",
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

/// The state machine. Pure. Money that came in never becomes money that did not.
pub fn next(state: State, event: &Event) -> Step {
    use State::{AwaitingUser, Closed, Created, Failed, Paid, PartiallyRefunded, Refunded, Refunding, Unknown};
    match (state, event) {
        (_, Event::Refunds(stand)) => next_by_refunds(state, *stand),
        (Created | Unknown | AwaitingUser, Event::Ordered { .. }) => Step::To(AwaitingUser),
        (Created, Event::OutcomeUnknown { .. }) => Step::To(Unknown),
        (Created | Unknown, Event::Refused { .. }) => Step::To(Failed),
        (Created | Unknown | AwaitingUser, Event::Paid { .. }) => Step::To(Paid),
        (Created | Unknown | AwaitingUser, Event::Closed) => Step::To(Closed),
        // A late or repeated word about something already known. A refunded order was paid, and the rail goes on saying so.
        (Paid | Refunding | PartiallyRefunded | Refunded, Event::Ordered { .. } | Event::OutcomeUnknown { .. } | Event::Paid { .. })
        | (Unknown | AwaitingUser | Closed | Failed, Event::OutcomeUnknown { .. })
        | (Closed, Event::Closed | Event::Refused { .. })
        | (Failed, Event::Refused { .. } | Event::Closed) => Step::Known,
        // Money or an order where there should be none, or the reverse.
        (Paid | Refunding | PartiallyRefunded | Refunded, Event::Closed | Event::Refused { .. })
        | (Closed | Failed, Event::Paid { .. } | Event::Ordered { .. })
        | (AwaitingUser, Event::Refused { .. }) => Step::Contradicts,
    }
}

/// A refund starts out of `Paid` or `PartiallyRefunded` and ends in what has been given back by then.
fn next_by_refunds(state: State, stand: Refunds) -> Step {
    use State::{AwaitingUser, Closed, Created, Failed, Paid, PartiallyRefunded, Refunded, Refunding, Unknown};
    match (state, stand) {
        (Paid | PartiallyRefunded, Refunds::UnderWay) => Step::To(Refunding),
        (Refunding, Refunds::Nothing) => Step::To(Paid),
        (Refunding, Refunds::Part) => Step::To(PartiallyRefunded),
        (Refunding, Refunds::Whole) => Step::To(Refunded),
        (Refunding, Refunds::UnderWay) | (Paid, Refunds::Nothing) | (PartiallyRefunded, Refunds::Part) | (Refunded, Refunds::Whole) => Step::Known,
        // Money cannot go back that never came, and what was given back stays given.
        (Created | Unknown | AwaitingUser | Closed | Failed, _)
        | (Paid, Refunds::Part | Refunds::Whole)
        | (PartiallyRefunded, Refunds::Nothing | Refunds::Whole)
        | (Refunded, Refunds::Nothing | Refunds::UnderWay | Refunds::Part) => Step::Contradicts,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(n: u8) -> Event {
        match n % 9 {
            0 => Event::Ordered { code_url: "weixin://x".into() },
            1 => Event::OutcomeUnknown { why: "timeout".into() },
            2 => Event::Refused { why: "PARAM_ERROR".into() },
            3 => Event::Paid { transaction_id: "42".into(), success_time: "2026-01-01T08:00:00+08:00".into(), evidence: Vec::new() },
            4 => Event::Closed,
            5 => Event::Refunds(Refunds::Nothing),
            6 => Event::Refunds(Refunds::UnderWay),
            7 => Event::Refunds(Refunds::Part),
            _ => Event::Refunds(Refunds::Whole),
        }
    }

    /// Every pair of state and event: `-` known, `!` contradiction, else the first letter of the state it moves to.
    #[test]
    fn the_table() {
        let table = [
            // ordered, unknown, refused, paid, closed; refunds: nothing, under way, part, whole
            (State::Created, "aUfpc!!!!"),
            (State::Unknown, "a-fpc!!!!"),
            (State::AwaitingUser, "a-!pc!!!!"),
            (State::Paid, "--!-!-R!!"),
            (State::Refunding, "--!-!p-PW"),
            (State::PartiallyRefunded, "--!-!!R-!"),
            (State::Refunded, "--!-!!!!-"),
            (State::Closed, "!--!-!!!!"),
            (State::Failed, "!--!-!!!!"),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (state, row) in table {
            let read: String = (0u8..9)
                .map(|n| match next(state, &event(n)) {
                    Step::Known => '-',
                    Step::Contradicts => '!',
                    Step::To(State::AwaitingUser) => 'a',
                    Step::To(State::Unknown) => 'U',
                    Step::To(State::Failed) => 'f',
                    Step::To(State::Paid) => 'p',
                    Step::To(State::Closed) => 'c',
                    Step::To(State::Refunding) => 'R',
                    Step::To(State::PartiallyRefunded) => 'P',
                    Step::To(State::Refunded) => 'W',
                    Step::To(State::Created) => '?',
                })
                .collect();
            assert_eq!(read, row, "{state:?}");
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
        fn ends_stay_and_money_that_came_in_stays_known(events in proptest::collection::vec(0u8..9, 0..60)) {
            let mut state = State::Created;
            for n in events {
                let event = event(n);
                if let Step::To(to) = next(state, &event) {
                    prop_assert!(!matches!(state, State::Closed | State::Failed | State::Refunded), "{state:?} moved to {to:?}");
                    prop_assert!(!state.is_final() || event == Event::Refunds(Refunds::UnderWay), "{state:?} moved by {event:?}");
                    prop_assert!(!state.is_paid() || to.is_paid(), "{state:?} moved to {to:?}");
                    prop_assert!(to != State::Created, "nothing becomes new again");
                    state = to;
                }
            }
        }
    }
}

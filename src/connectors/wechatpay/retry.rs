//! WeChat Pay's retry table as one pure function: what kind of call it was, what came back, and what may be done.

use super::super::advice::Advice;

/// What repeating a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Changes nothing: queries, downloads.
    Read,
    /// Changes something once, however often it is sent: creating and closing orders.
    Reentrant,
    /// Moves money: refunds, transfers, profit sharing. Sent again only after asking.
    Money,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// Nothing: no connection (DNS, TCP, TLS), not a byte has left.
    NotSent,
    /// Nothing: no answer in time, or the connection broke after sending.
    NoAnswer,
    /// Something that cannot be believed: a wrong signature, or a text that makes no sense.
    Unbelievable,
    /// An answer that is not 200 or 204. The code is upper case and without underscores.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Empty if the answer is none of the rail's.
        code: &'a str,
    },
}

/// What may be done about `condition`.
pub(super) fn advice(nature: Nature, condition: Condition<'_>) -> Advice {
    match condition {
        Condition::NotSent => Advice::SendAgain,
        Condition::NoAnswer => doubtful(nature, Advice::Repeat),
        // Not a failure of what was asked: its outcome is unknown, so the next step is a question. A question itself is asked again.
        Condition::Unbelievable => {
            if nature == Nature::Read {
                Advice::Repeat
            } else {
                Advice::AskFirst
            }
        }
        Condition::Answer { code: "USERPAYING", .. } => Advice::Poll,
        Condition::Answer { code: "NOTENOUGH", .. } => Advice::Fund,
        Condition::Answer { status: 429, .. } => doubtful(nature, Advice::BackOff),
        // For money this is stricter than the table, which repeats at once: a question first costs nothing.
        Condition::Answer { status: 202 | 500..=599, .. } => doubtful(nature, Advice::RepeatLater),
        // Whatever stands between us and the rail answered: a firewall's page says nothing about an order.
        Condition::Answer { code: "", .. } => doubtful(nature, Advice::RepeatLater),
        Condition::Answer { status: 401, .. } => Advice::CheckKeys,
        Condition::Answer { status: 400..=499, .. } => Advice::Never,
        Condition::Answer { .. } => doubtful(nature, Advice::RepeatLater),
    }
}

/// Money is asked about first; anything else is repeated as the table says.
fn doubtful(nature: Nature, otherwise: Advice) -> Advice {
    if nature == Nature::Money { Advice::AskFirst } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::Condition::{Answer, NoAnswer, NotSent, Unbelievable};
    use super::Nature::{Money, Read, Reentrant};
    use super::*;

    /// One row of the vendor's table: what came back, and the advice for a question, a re-entrant call and a moving of money.
    const TABLE: [(Condition<'static>, [Advice; 3]); 21] = [
        (NotSent, [Advice::SendAgain; 3]),
        (NoAnswer, [Advice::Repeat, Advice::Repeat, Advice::AskFirst]),
        (Unbelievable, [Advice::Repeat, Advice::AskFirst, Advice::AskFirst]),
        (Answer { status: 500, code: "SYSTEMERROR" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 502, code: "" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 503, code: "SERVICEUNAVAILABLE" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 202, code: "" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 429, code: "FREQUENCYLIMITED" }, [Advice::BackOff, Advice::BackOff, Advice::AskFirst]),
        (Answer { status: 429, code: "RATELIMITEXCEEDED" }, [Advice::BackOff, Advice::BackOff, Advice::AskFirst]),
        (Answer { status: 429, code: "" }, [Advice::BackOff, Advice::BackOff, Advice::AskFirst]),
        (Answer { status: 403, code: "NOTENOUGH" }, [Advice::Fund; 3]),
        (Answer { status: 202, code: "USERPAYING" }, [Advice::Poll; 3]),
        (Answer { status: 400, code: "USERPAYING" }, [Advice::Poll; 3]),
        (Answer { status: 401, code: "SIGNERROR" }, [Advice::CheckKeys; 3]),
        (Answer { status: 400, code: "PARAMERROR" }, [Advice::Never; 3]),
        (Answer { status: 400, code: "INVALIDREQUEST" }, [Advice::Never; 3]),
        (Answer { status: 403, code: "NOAUTH" }, [Advice::Never; 3]),
        (Answer { status: 404, code: "RESOURCENOTEXISTS" }, [Advice::Never; 3]),
        (Answer { status: 403, code: "" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 404, code: "" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
        (Answer { status: 302, code: "" }, [Advice::RepeatLater, Advice::RepeatLater, Advice::AskFirst]),
    ];

    #[test]
    fn every_row_of_the_table() {
        for (condition, expected) in TABLE {
            assert_eq!([Read, Reentrant, Money].map(|nature| advice(nature, condition)), expected, "{condition:?}");
        }
    }

    #[test]
    fn money_is_never_simply_repeated() {
        for status in 100..=599 {
            for code in ["", "PARAMERROR", "SYSTEMERROR", "FREQUENCYLIMITED"] {
                let advice = advice(Money, Answer { status, code });
                assert!(!matches!(advice, Advice::Repeat | Advice::RepeatLater | Advice::BackOff | Advice::SendAgain), "{status} {code}");
            }
        }
    }
}

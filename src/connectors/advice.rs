//! What may be done about a call that did not succeed. A rail's own table turns its errors into one of these; callers never look at codes.

/// Longest wait before a call is repeated.
const WAIT_MS_MAX: u64 = 32_000;

/// What may be done. Whatever it is: the same number and the same bytes, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Not a byte has left: send it, also to another host.
    SendAgain,
    /// It may have acted, and repeating it does no harm: repeat it.
    Repeat,
    /// It may have acted, and the rail is in trouble: repeat it after a pause that doubles.
    RepeatLater,
    /// It may have acted, and money may be on its way: ask with its number; only if the rail has none, repeat it.
    AskFirst,
    /// It did nothing, the rail is over its limit: repeat it after a pause that doubles.
    BackOff,
    /// It did nothing, the merchant's balance is short: repeat it once there is money.
    Fund,
    /// The payer is entering a password: ask every five seconds, half a minute at most, then reverse it.
    Poll,
    /// It did nothing and never will: clock, keys or the signed text are wrong. A person must look.
    CheckKeys,
    /// It did nothing and never will.
    Never,
}

impl Advice {
    /// Whether the rail may have done what was asked.
    pub fn may_have_acted(self) -> bool {
        matches!(self, Self::Repeat | Self::RepeatLater | Self::AskFirst | Self::Poll)
    }

    /// How long to wait before the next try, `tries` having been made; `None` if there should be none without anything changing first.
    pub fn wait_ms(self, tries: u32) -> Option<u64> {
        match self {
            Self::SendAgain | Self::Repeat | Self::AskFirst => Some(0),
            Self::RepeatLater | Self::BackOff => Some(1_000_u64.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(WAIT_MS_MAX)),
            Self::Poll => (tries <= 6).then_some(5_000),
            Self::Fund | Self::CheckKeys | Self::Never => None,
        }
    }
}

/// A call that did not succeed: what may be done, and what the rail said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failed {
    /// What may be done.
    pub advice: Advice,
    /// The HTTP status, if there was an answer of the rail.
    pub status: Option<u16>,
    /// The rail's code, upper case and without underscores; empty if none was given.
    pub code: String,
    /// The rail's text, or ours when there was no answer. For logs and the audit trail.
    pub message: String,
    /// WeChat Pay's internal result number (the end of `Request-ID`).
    pub(super) internal: String,
}

impl Failed {
    /// Something that has not even been sent.
    pub(super) fn unsent(message: impl Into<String>) -> Self {
        Self { advice: Advice::SendAgain, status: None, code: String::new(), message: message.into(), internal: String::new() }
    }

    /// Something that would be wrong every time and is not sent at all.
    pub(super) fn never(message: impl Into<String>) -> Self {
        Self { advice: Advice::Never, ..Self::unsent(message) }
    }

    /// Whether the rail says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404) && matches!(self.code.as_str(), "ORDERNOTEXIST" | "RESOURCENOTEXISTS" | "NOTFOUND")
    }

    /// Whether the rail refused the merchant (keys, permissions, limits of the account) and not this one request.
    pub fn is_denied(&self) -> bool {
        const OF_THE_MERCHANT: [&str; 7] =
            ["NOAUTH", "REQUESTBLOCKED", "RULELIMIT", "MCHNOTEXISTS", "APPIDMCHIDNOTMATCH", "SIGNERROR", "ACCOUNTERROR"];
        self.advice == Advice::CheckKeys || OF_THE_MERCHANT.contains(&self.code.as_str())
    }

    /// Everything on one line: for logs and the audit trail.
    pub(super) fn why(&self) -> String {
        match self.status {
            Some(status) => format!("status {status} {} {}", self.code, self.message).trim_end().to_owned(),
            None => self.message.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_start_at_a_second_double_and_end() {
        let waits: Vec<_> = (1..=8).filter_map(|tries| Advice::BackOff.wait_ms(tries)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000, 32_000]);
        assert_eq!(Advice::RepeatLater.wait_ms(u32::MAX), Some(WAIT_MS_MAX));
        assert_eq!((1..=9).filter_map(|tries| Advice::Poll.wait_ms(tries)).sum::<u64>(), 30_000);
        assert_eq!(Advice::Never.wait_ms(1), None);
    }
}

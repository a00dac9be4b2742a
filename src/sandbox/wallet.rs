//! The payer's payment codes: eighteen digits a cashier scans, good for a minute and for one payment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::SandboxError;
use super::accounts::keys::digits;
use crate::clock::UnixMs;

/// How long a code lives, in milliseconds.
pub(super) const CODE_MS: i64 = 60_000;

/// Most codes shown at once.
const CODES_MAX: usize = 10_000;

/// Why a code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeError {
    /// Nobody was shown this code, or it was used.
    Invalid,
    /// It is older than a minute.
    Expired,
}

#[derive(Debug)]
struct Shown {
    at: UnixMs,
    asks_password: bool,
}

/// All codes that are shown and not used.
#[derive(Debug, Default)]
pub(super) struct Wallet(Mutex<HashMap<String, Shown>>);

impl Wallet {
    /// Shows a new code. With `asks_password` the payer has to agree before money moves.
    pub(super) fn show(&self, asks_password: bool, now: UnixMs) -> Result<String, SandboxError> {
        let code = format!("13{}", digits(16)?);
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= CODES_MAX {
            codes.retain(|_, shown| now < shown.at.plus_ms(CODE_MS));
        }
        if codes.len() >= CODES_MAX {
            return Err(SandboxError::Keys(format!("{CODES_MAX} payment codes are shown already")));
        }
        codes.insert(code.clone(), Shown { at: now, asks_password });
        Ok(code)
    }

    /// Uses a code up; says whether the payer is asked for a password.
    pub(super) fn take(&self, code: &str, now: UnixMs) -> Result<bool, CodeError> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(code).ok_or(CodeError::Invalid)?;
        if now < shown.at.plus_ms(CODE_MS) { Ok(shown.asks_password) } else { Err(CodeError::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let (wallet, now) = (Wallet::default(), UnixMs(1_000));
        let (one, two) = (wallet.show(true, now).expect("shown"), wallet.show(false, now).expect("shown"));
        assert!(one.len() == 18 && one.starts_with("13"));
        assert_eq!((wallet.take(&one, now), wallet.take(&one, now)), (Ok(true), Err(CodeError::Invalid)));
        assert_eq!(wallet.take(&two, now.plus_ms(CODE_MS)), Err(CodeError::Expired));
    }
}

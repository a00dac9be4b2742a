//! Money: an integer number of minor units with its currency. No float ever touches it.

use std::fmt;

/// A currency fengate can hold. WeChat Pay's ordinary merchants settle in yuan; others follow with their rails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Currency {
    /// Renminbi; the minor unit is the fen (分), a hundredth of a yuan.
    Cny,
}

impl Currency {
    /// The ISO 4217 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
        }
    }

    /// Reads an ISO 4217 code; `None` for a currency that cannot be charged here.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "CNY" => Some(Self::Cny),
            _ => None,
        }
    }
}

/// An amount that can be charged: 1 to [`Money::MAX_MINOR`] minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a number is not an amount that can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is a whole number of fen from 1 to {max}, not {0}", max = Money::MAX_MINOR)]
pub struct NotChargeable(pub i64);

impl Money {
    /// The largest single amount, in minor units: ten million yuan, above every limit of the rail.
    pub const MAX_MINOR: i64 = 1_000_000_000;

    /// `fen` hundredths of a yuan; refused outside 1 to [`Money::MAX_MINOR`].
    pub fn fen(fen: i64) -> Result<Self, NotChargeable> {
        if (1..=Self::MAX_MINOR).contains(&fen) { Ok(Self { minor: fen, currency: Currency::Cny }) } else { Err(NotChargeable(fen)) }
    }

    /// The number of minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency the minor units are of.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in major units as a person reads it, without a currency sign: `129.00`.
    pub fn major(self) -> String {
        format!("{}.{:02}", self.minor / 100, self.minor % 100)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.major(), self.currency.code())
    }
}

/// A sum of fen as yuan for people to read: `129.00`, `-0.05`. Sums may be 0 or below, which no [`Money`] is.
pub fn yuan(fen: i64) -> String {
    let (sign, fen) = (if fen < 0 { "-" } else { "" }, fen.unsigned_abs());
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// Reads a decimal number of yuan (`129`, `12.5`, `0.01`) exactly into fen. No sign, exponent, blank or third decimal.
pub fn fen_of_yuan(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let fen: i64 = fraction.parse().ok()?;
    let fen = if fraction.len() == 1 { fen * 10 } else { fen };
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amounts_that_can_be_charged_exist() {
        for bad in [i64::MIN, -1, 0, Money::MAX_MINOR + 1, i64::MAX] {
            assert_eq!(Money::fen(bad), Err(NotChargeable(bad)));
        }
        assert_eq!(Money::fen(12_900).map(|m| m.to_string()), Ok("129.00 CNY".to_owned()));
        assert_eq!(Money::fen(5).map(Money::major), Ok("0.05".to_owned()));
    }

    #[test]
    fn yuan_are_read_exactly_or_not_at_all() {
        for (text, fen) in [("129", 12_900), ("12.5", 1_250), ("0.01", 1), ("39.90", 3_990), ("007", 700)] {
            assert_eq!(fen_of_yuan(text), Some(fen), "{text}");
        }
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1_0", "1.005", " 1", "１", "NaN", "99999999999999999999"] {
            assert_eq!(fen_of_yuan(bad), None, "{bad}");
        }
    }
}

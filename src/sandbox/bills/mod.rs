//! Bills as text: pure functions from what happened to what the day's file says. UTF-8 with a byte order mark, CRLF, a back-tick before every
//! value, yuan with two decimals, fees with five.

mod fund;
mod trade;

#[cfg(test)]
mod tests;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};

pub(super) use fund::fund_flow;
pub(super) use trade::{TradeBill, trade};

/// The byte order mark a bill begins with.
const MARK: &str = "\u{feff}";

/// What the sandbox's platform keeps of a payment, in hundredths of a percent.
const FEE_BASIS_POINTS: i64 = 60;
const FEE_RATE: &str = "0.60%";

/// A payment that went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paid {
    pub(super) at_seconds: i64,
    pub(super) appid: String,
    pub(super) mchid: String,
    /// Empty for an ordinary merchant's own payment.
    pub(super) sub_mchid: String,
    pub(super) device_id: String,
    pub(super) transaction_id: String,
    pub(super) out_trade_no: String,
    pub(super) openid: String,
    pub(super) trade_type: String,
    pub(super) bank_type: String,
    pub(super) total_fen: i64,
    pub(super) description: String,
    pub(super) attach: String,
}

/// A refund the platform accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refunded {
    /// The payment it gives back.
    pub(super) of: Paid,
    pub(super) asked_at_seconds: i64,
    pub(super) succeeded_at_seconds: Option<i64>,
    pub(super) refund_id: String,
    pub(super) out_refund_no: String,
    pub(super) refund_fen: i64,
    /// What earlier refunds of the same payment gave back, in fen.
    pub(super) before_fen: i64,
}

impl Paid {
    /// The fee, in fen: 0.6 %, half a fen and more counts as one.
    fn fee_fen(&self) -> i64 {
        (self.total_fen * FEE_BASIS_POINTS + 5_000) / 10_000
    }
}

impl Refunded {
    /// What comes back of the fee, in fen: pro rata over all refunds so far, so that the whole fee has come back with the whole payment.
    fn fee_fen(&self) -> i64 {
        let until = |fen: i64| (self.of.fee_fen() * fen).checked_div(self.of.total_fen).unwrap_or_default();
        until(self.before_fen + self.refund_fen) - until(self.before_fen)
    }
}

/// The day (in Beijing) of a moment.
pub(super) fn day_of(seconds: i64) -> Date {
    beijing(seconds).date()
}

fn beijing(seconds: i64) -> jiff::Zoned {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::fixed(offset(8)))
}

/// A moment as bills write it.
fn time(seconds: i64) -> String {
    beijing(seconds).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Fen as yuan with two decimals; a sum may be negative.
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// A fee: yuan with five decimals.
fn fee(fen: i64) -> String {
    format!("{}000", yuan(fen))
}

/// A row of values. A value breaks no row: its line ends become blanks. Commas stay, as at WeChat Pay: the back-tick tells where a value begins.
fn row(values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{}", value.replace(['\r', '\n'], " "))).collect();
    values.join(",")
}

/// Puts a file together: headings, rows, the summary's headings and its row.
fn file(headings: &str, rows: &[String], summary: (&str, String)) -> String {
    let mut text = format!("{MARK}{headings}\r\n");
    for row in rows {
        text.push_str(row);
        text.push_str("\r\n");
    }
    text.push_str(&format!("{}\r\n{}\r\n", summary.0, summary.1));
    text
}

/// The SHA-1 a bill is announced with: over the text, never over its compressed form.
pub(super) fn sha1_hex(text: &[u8]) -> String {
    crate::ids::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text).as_ref())
}

/// The text, compressed; `None` if that fails, which memory alone decides.
pub(super) fn gzip(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::default());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

//! A day's bill of the payment side compared with the ledger, to the fen, in both directions: every row of the bill against what is recorded,
//! and everything recorded for the day against the bill. Reads only.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::UnixMs;
use crate::connectors::{TradeBill, TradeRefund, TradeRow};
use crate::ids::{MerchantId, OutRefundNo, OutTradeNo};
use crate::ledger::{Books, LedgerError};
use crate::payment::record::Payment;
use crate::payment::refund_state::RefundState;
use crate::payment::state::State;

/// How long before it is paid an order can have been recorded: 15 days are the most `time_expire` allows, and a day to spare.
const RECORDED_BEFORE_MS: i64 = 16 * 24 * 60 * 60 * 1_000;

/// How far the clock of this machine may be from the payment side's: a refund that close to midnight may stand in the neighbouring day's bill.
const CLOCKS_APART_MS: i64 = 5 * 60 * 1_000;

/// Rows between two words about progress.
const PROGRESS_EVERY: u64 = 10_000;

/// What is wrong with one payment or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The bill has it and the ledger has not.
    MissingHere,
    /// The ledger has it for this day and the bill has not.
    MissingThere,
    /// The amounts differ.
    Amount,
    /// The states cannot both be true.
    State,
    /// The payment side's own numbers differ.
    Number,
    /// The bill has it more than once.
    Twice,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::MissingHere, Self::MissingThere, Self::Amount, Self::State, Self::Number, Self::Twice];

    /// The words in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingHere => "missing here",
            Self::MissingThere => "missing there",
            Self::Amount => "amount differs",
            Self::State => "state differs",
            Self::Number => "number differs",
            Self::Twice => "twice there",
        }
    }
}

/// Payment or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A payment, named by its `out_trade_no`.
    Payment,
    /// A refund, named by its `out_refund_no`.
    Refund,
}

impl What {
    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
        }
    }
}

/// One difference. What a side has not is left empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub kind: Kind,
    /// With what.
    pub what: What,
    /// Its number.
    pub number: String,
    /// The ledger's side: amount in fen and state.
    pub here: Option<(i64, String)>,
    /// The bill's side.
    pub there: Option<(i64, String)>,
}

/// Number and sum of payments, and of refunds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Payments.
    pub payments: u64,
    /// Their sum in fen.
    pub payments_fen: i64,
    /// Refunds.
    pub refunds: u64,
    /// Their sum in fen.
    pub refunds_fen: i64,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Every difference, in the bill's order, then the ledger's.
    pub differences: Vec<Difference>,
    /// What the ledger has for the rows of the bill and for the day.
    pub here: Sums,
    /// What the bill has.
    pub there: Sums,
    /// Rows whose numbers fengate does not make and the ledger does not have: another system's on the same merchant number. Counted as
    /// differences unless they were to be passed over.
    pub foreign: u64,
}

/// Compares days; the merchants are all those that trade under the bill's merchant number.
pub struct Day<'a> {
    /// The ledger.
    pub books: &'a Books,
    /// Whose payments may stand in the bill.
    pub merchants: &'a [MerchantId],
    /// The day, of Beijing's calendar.
    pub day: Date,
    /// Rows of other systems are no differences.
    pub pass_over_foreign: bool,
}

impl Day<'_> {
    /// Compares `bill`. `progress` is told how many rows are done, and of how many.
    pub fn compare(&self, bill: &TradeBill, progress: &mut dyn FnMut(u64, u64)) -> Result<Compared, LedgerError> {
        let mut compared = Compared::default();
        let mut seen = HashSet::new();
        let rows = bill.rows.len() as u64;
        for (row, done) in bill.rows.iter().zip(1u64..) {
            match &row.refund {
                None => self.payment_row(row, &mut seen, &mut compared)?,
                Some(refund) => self.refund_row(row, refund, &mut seen, &mut compared)?,
            }
            if done % PROGRESS_EVERY == 0 {
                progress(done, rows);
            }
        }
        for merchant in self.merchants {
            self.recorded_payments(merchant, &seen, &mut compared)?;
            self.recorded_refunds(merchant, &seen, &mut compared)?;
        }
        Ok(compared)
    }

    fn payment_row(&self, row: &TradeRow, seen: &mut HashSet<(What, String)>, compared: &mut Compared) -> Result<(), LedgerError> {
        let number = row.out_trade_no.clone();
        let amount_fen = row.order_total_fen.unwrap_or(row.settlement_total_fen);
        let there = Some((amount_fen, row.trade_state.clone()));
        compared.there.payments += 1;
        compared.there.payments_fen += amount_fen;
        let mut differ =
            |kind, here| compared.differences.push(Difference { kind, what: What::Payment, number: number.clone(), here, there: there.clone() });
        let Some(payment) = self.payment(&number)? else {
            if !is_ours(&number) {
                compared.foreign += 1;
            }
            if is_ours(&number) || !self.pass_over_foreign {
                differ(Kind::MissingHere, None);
            }
            return Ok(());
        };
        let here = (payment.terms.amount.minor(), payment.state.name().to_owned());
        compared.here.payments += 1;
        compared.here.payments_fen += here.0;
        // A reversed order (code pay) was paid and is not any more.
        let same_state = if row.trade_state == "REVOKED" { payment.state == State::Closed } else { payment.state.is_paid() };
        let differing = [
            (!seen.insert((What::Payment, number.clone())), Kind::Twice),
            (here.0 != amount_fen, Kind::Amount),
            (!same_state, Kind::State),
            (payment.transaction_id.as_deref().is_some_and(|id| id != row.transaction_id), Kind::Number),
        ];
        differing.into_iter().filter(|(differs, _)| *differs).for_each(|(_, kind)| differ(kind, Some(here.clone())));
        Ok(())
    }

    fn refund_row(
        &self,
        row: &TradeRow,
        refund: &TradeRefund,
        seen: &mut HashSet<(What, String)>,
        compared: &mut Compared,
    ) -> Result<(), LedgerError> {
        let number = refund.out_refund_no.clone();
        let amount_fen = refund.requested_fen.unwrap_or(refund.refund_fen);
        let there = Some((amount_fen, refund.status.clone()));
        compared.there.refunds += 1;
        compared.there.refunds_fen += amount_fen;
        let mut differ =
            |kind, here| compared.differences.push(Difference { kind, what: What::Refund, number: number.clone(), here, there: there.clone() });
        let Some(recorded) = self.refund(&number)? else {
            // A refund of a payment in the ledger is nobody else's, whoever signed it.
            let ours = is_ours(&number) || self.payment(&row.out_trade_no)?.is_some();
            if !ours {
                compared.foreign += 1;
            }
            if ours || !self.pass_over_foreign {
                differ(Kind::MissingHere, None);
            }
            return Ok(());
        };
        let here = (recorded.amount.minor(), recorded.state.name().to_owned());
        compared.here.refunds += 1;
        compared.here.refunds_fen += here.0;
        let numbers_differ =
            recorded.out_trade_no.as_str() != row.out_trade_no || recorded.refund_id.as_deref().is_some_and(|id| id != refund.refund_id);
        let differing = [
            (!seen.insert((What::Refund, number.clone())), Kind::Twice),
            (here.0 != amount_fen, Kind::Amount),
            (!agree(recorded.state, &refund.status), Kind::State),
            (numbers_differ, Kind::Number),
        ];
        differing.into_iter().filter(|(differs, _)| *differs).for_each(|(_, kind)| differ(kind, Some(here.clone())));
        Ok(())
    }

    /// What was paid on the day must stand in its bill.
    fn recorded_payments(&self, merchant: &MerchantId, seen: &HashSet<(What, String)>, compared: &mut Compared) -> Result<(), LedgerError> {
        let (from, to) = bounds(self.day);
        self.books.paid(merchant, from.plus_ms(-RECORDED_BEFORE_MS), to, &mut |payment| {
            let number = payment.out_trade_no.as_str().to_owned();
            if day_of(&payment) == self.day && !seen.contains(&(What::Payment, number.clone())) {
                let here = (payment.terms.amount.minor(), payment.state.name().to_owned());
                compared.here.payments += 1;
                compared.here.payments_fen += here.0;
                compared.differences.push(Difference { kind: Kind::MissingThere, what: What::Payment, number, here: Some(here), there: None });
            }
        })
    }

    /// What the payment side took in on the day must stand in its bill. Where the moment lies between two days nothing is claimed: the row of
    /// either day is compared by its number.
    fn recorded_refunds(&self, merchant: &MerchantId, seen: &HashSet<(What, String)>, compared: &mut Compared) -> Result<(), LedgerError> {
        let (from, to) = bounds(self.day);
        for refund in self.books.refunds_accepted(merchant, from.plus_ms(CLOCKS_APART_MS), to.plus_ms(-CLOCKS_APART_MS))? {
            let number = refund.out_refund_no.as_str().to_owned();
            if !seen.contains(&(What::Refund, number.clone())) {
                let here = (refund.amount.minor(), refund.state.name().to_owned());
                compared.here.refunds += 1;
                compared.here.refunds_fen += here.0;
                compared.differences.push(Difference { kind: Kind::MissingThere, what: What::Refund, number, here: Some(here), there: None });
            }
        }
        Ok(())
    }

    fn payment(&self, number: &str) -> Result<Option<Payment>, LedgerError> {
        let number = OutTradeNo::new(number);
        self.merchants.iter().find_map(|merchant| self.books.payment(merchant, &number).transpose()).transpose()
    }

    fn refund(&self, number: &str) -> Result<Option<crate::payment::refund::Refund>, LedgerError> {
        let number = OutRefundNo::new(number);
        self.merchants.iter().find_map(|merchant| self.books.refund(merchant, &number).transpose()).transpose()
    }
}

/// Whether a number looks like one fengate makes: if the ledger lost it, that is a difference whoever else trades here.
fn is_ours(number: &str) -> bool {
    number.len() == 32 && (number.starts_with("fg") || number.starts_with("fr"))
}

/// A bill is written in the morning after; the ledger may have learned more since, but never less.
fn agree(here: RefundState, there: &str) -> bool {
    match there {
        "SUCCESS" => here == RefundState::Refunded,
        "PROCESSING" => matches!(here, RefundState::Processing | RefundState::Abnormal | RefundState::Refunded | RefundState::Failed),
        "FAIL" | "CLOSED" => here == RefundState::Failed,
        // CHANGE: abnormal, waiting for another account, or sent there since.
        _ => matches!(here, RefundState::Abnormal | RefundState::Refunded | RefundState::Failed),
    }
}

/// The first moment of a day of Beijing's calendar, and the first after it.
fn bounds(day: Date) -> (UnixMs, UnixMs) {
    let first = |day: Date| day.to_zoned(beijing()).map_or(UnixMs(i64::MAX), |zoned| UnixMs(zoned.timestamp().as_millisecond()));
    (first(day), day.tomorrow().map_or(UnixMs(i64::MAX), first))
}

/// The day a payment was made, by the payment side's clock; by ours if it named no time.
fn day_of(payment: &Payment) -> Date {
    let said = payment.success_time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    let at = said.or_else(|| Timestamp::from_millisecond(payment.created.0).ok()).unwrap_or_default();
    at.to_zoned(beijing()).date()
}

fn beijing() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

#[cfg(test)]
mod tests;

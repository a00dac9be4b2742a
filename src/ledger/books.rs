//! The books: the ledger's file read by another process while fengate goes on writing it. Nothing here can write.

use std::path::PathBuf;

use rusqlite::{Connection, params};

use super::row::{COLUMNS, read};
use super::{LedgerError, payments, refunds, schema};
use crate::clock::UnixMs;
use crate::ids::{MerchantId, OutRefundNo, OutTradeNo};
use crate::payment::record::Payment;
use crate::payment::refund::Refund;

/// A ledger opened for reading only.
#[derive(Debug)]
pub struct Books {
    connection: Connection,
}

impl Books {
    /// Opens the ledger at `url` (`sqlite:PATH`), whether or not a fengate has it. Fails if it is not there, or of another version.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        let path = PathBuf::from(url.strip_prefix("sqlite:").unwrap_or(url));
        let connection = schema::open_reader(&path)?;
        schema::is_current(&connection, &path)?;
        // Whoever reads a day must see one moment of it.
        connection.execute_batch("BEGIN")?;
        Ok(Self { connection })
    }

    /// Every payment of `merchant` recorded from `from` to before `to` for which money came in, oldest first; `each` is handed one at a time.
    pub fn paid(&self, merchant: &MerchantId, from: UnixMs, to: UnixMs, each: &mut dyn FnMut(Payment)) -> Result<(), LedgerError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM payment WHERE merchant = ?1 AND created_ms >= ?2 AND created_ms < ?3
                 AND state IN ('paid', 'refunding', 'partially_refunded', 'refunded') ORDER BY created_ms"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![merchant.as_str(), from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(read(row)?);
        }
        Ok(())
    }

    /// A merchant's payment by its number at the payment side.
    pub fn payment(&self, merchant: &MerchantId, number: &OutTradeNo) -> Result<Option<Payment>, LedgerError> {
        payments::by_number(&self.connection, merchant, number)
    }

    /// A merchant's refund by its number at the payment side.
    pub fn refund(&self, merchant: &MerchantId, number: &OutRefundNo) -> Result<Option<Refund>, LedgerError> {
        refunds::by_number(&self.connection, merchant, number)
    }

    /// Every refund of `merchant` recorded at or after `from` and learned to be accepted before `to`: the payment side has taken it in between.
    pub fn refunds_accepted(&self, merchant: &MerchantId, from: UnixMs, to: UnixMs) -> Result<Vec<Refund>, LedgerError> {
        refunds::accepted_between(&self.connection, merchant, from, to)
    }
}

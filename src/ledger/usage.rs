//! Usage records: one for each attempt at a provider.

use rusqlite::{Connection, params};

use super::error::LedgerError;
use super::row::{signed, unsigned};
use crate::chat::usage::{Outcome, Usage, UsageRecord};
use crate::clock::UnixMs;
use crate::ids::{MerchantId, RequestId};

pub(super) fn insert(connection: &Connection, record: &UsageRecord, at: UnixMs) -> rusqlite::Result<()> {
    let sql = "INSERT INTO usage (at_ms, request_id, merchant, provider, model, stream, outcome, prompt_tokens, completion_tokens, duration_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute(params![
        at.0,
        record.request_id.as_str(),
        record.merchant.as_str(),
        record.provider,
        record.model,
        record.stream,
        record.outcome.name(),
        record.usage.map(|usage| signed(usage.prompt_tokens)),
        record.usage.map(|usage| signed(usage.completion_tokens)),
        signed(record.duration_ms),
    ])?;
    Ok(())
}

pub(super) fn of_request(connection: &Connection, request: &RequestId) -> Result<Vec<UsageRecord>, LedgerError> {
    let sql = "SELECT merchant, provider, model, stream, outcome, prompt_tokens, completion_tokens, duration_ms FROM usage WHERE request_id = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([request.as_str()], |row| {
        let tokens = (row.get::<_, Option<i64>>(5)?.map(unsigned), row.get::<_, Option<i64>>(6)?.map(unsigned));
        let outcome: String = row.get(4)?;
        Ok(UsageRecord {
            request_id: request.clone(),
            merchant: MerchantId::new(row.get::<_, String>(0)?),
            provider: row.get(1)?,
            model: row.get(2)?,
            stream: row.get(3)?,
            outcome: Outcome::from_name(&outcome).unwrap_or(Outcome::Failed),
            usage: tokens.0.map(|prompt_tokens| Usage { prompt_tokens, completion_tokens: tokens.1.unwrap_or_default(), ..Usage::default() }),
            duration_ms: unsigned(row.get(7)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

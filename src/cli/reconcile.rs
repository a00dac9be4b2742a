//! `fengate reconcile`: a day's trade bill against the ledger, to the fen. Reads the ledger beside a running fengate and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use jiff::civil::Date;

use super::{load, note, say};
use crate::app::connectors;
use crate::clock::Clock;
use crate::connectors::{BillError, Connector, TradeBill, TradeBillKind};
use crate::ids::MerchantId;
use crate::ledger::Books;
use crate::metrics::Metrics;
use crate::money::yuan;
use crate::payments::day::{Compared, Day, Difference, Kind, Sums};
use crate::routes::Routes;
use crate::sandbox;

/// What `fengate reconcile` is told.
#[derive(Args, Debug)]
pub(super) struct ReconcileArguments {
    /// The day, of Beijing's calendar. Its bill is there from ten in the morning of the next day, for three months.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Date,
    /// Only this merchant of routes.toml, and whoever shares its merchant number; without it, all.
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
    /// Rows with numbers fengate does not make are no differences: another system trades under the same merchant number.
    #[arg(long)]
    pass_over_foreign: bool,
}

/// The exit code when the ledger and the bill differ.
const DIFFERENT: u8 = 1;

/// The exit code when they could not be compared.
const NOT_COMPARED: u8 = 2;

/// Compares, prints, and says by the exit code whether there is a difference.
pub(super) fn reconcile(config: &Path, arguments: &ReconcileArguments) -> ExitCode {
    match compared(config, arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(DIFFERENT),
        Err(e) => {
            super::complain(&e);
            ExitCode::from(NOT_COMPARED)
        }
    }
}

/// The number of differences.
fn compared(config: &Path, arguments: &ReconcileArguments) -> anyhow::Result<usize> {
    let routes = load(config)?;
    let books = Books::open(&routes.ledger_url)?;
    let groups = by_account(connected(&routes)?);
    let wanted = |merchants: &[MerchantId]| arguments.merchant.as_deref().is_none_or(|id| merchants.iter().any(|merchant| merchant.as_str() == id));
    let groups: Vec<_> = groups.into_values().filter(|(_, merchants)| wanted(merchants)).collect();
    if groups.is_empty() {
        bail!(
            "no merchant {}with a WeChat Pay account in {}",
            arguments.merchant.as_deref().map(|id| format!("`{id}` ")).unwrap_or_default(),
            config.display()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to ask with")?;
    let mut differences = 0;
    for (connector, merchants) in groups {
        let mchid = connector.account().mchid;
        note(&format!("{mchid}: fetching the trade bill of {}", arguments.date));
        let bill = runtime.block_on(bill(&connector, arguments.date)).with_context(|| format!("merchant number {mchid}"))?;
        note(&format!("{mchid}: {} rows, each of them looked up in the ledger", bill.rows.len()));
        let day = Day { books: &books, merchants: &merchants, day: arguments.date, pass_over_foreign: arguments.pass_over_foreign };
        let compared = day.compare(&bill, &mut |done, rows| note(&format!("{mchid}: {done} of {rows} rows")))?;
        say(&table(&mchid, &merchants, arguments.date, &compared));
        differences += compared.differences.len();
    }
    Ok(differences)
}

/// The bill; an empty one where the payment side says that nothing happened on a day that is over.
async fn bill(connector: &Connector, day: Date) -> anyhow::Result<TradeBill> {
    let beijing = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let today = jiff::Timestamp::from_second(Clock::system().now().seconds())?.to_zoned(beijing).date();
    match connector.trade_bill(day, TradeBillKind::All).await {
        Err(BillError::None) if day >= today => {
            bail!("there is no bill of {day} yet: the day is not over in Beijing; bills come from ten in the morning of the next day")
        }
        Err(BillError::None) => {
            note("there is no bill: nothing happened on this day, or it is more than three months ago; compared with an empty one");
            Ok(TradeBill::default())
        }
        outcome => Ok(outcome?),
    }
}

/// A connector for each merchant with an account; the sandbox's is the one that is running.
fn connected(routes: &Routes) -> anyhow::Result<Vec<(MerchantId, Connector)>> {
    let sandbox = match &routes.sandbox {
        Some(table) => Some((sandbox::Account::kept_in(&table.dir)?, table.listen)),
        None => None,
    };
    let sandbox = sandbox.as_ref().map(|(account, address)| (account, *address));
    Ok(connectors(routes, sandbox, &Clock::system(), &Metrics::new()?)?.into_iter().collect())
}

/// Merchants that share a merchant number share a bill.
fn by_account(connectors: Vec<(MerchantId, Connector)>) -> BTreeMap<String, (Connector, Vec<MerchantId>)> {
    let mut groups: BTreeMap<String, (Connector, Vec<MerchantId>)> = BTreeMap::new();
    for (merchant, connector) in connectors {
        groups.entry(connector.account().mchid).or_insert_with(|| (connector, Vec::new())).1.push(merchant);
    }
    for (_, merchants) in groups.values_mut() {
        merchants.sort();
    }
    groups
}

/// Every difference, then the sums.
fn table(mchid: &str, merchants: &[MerchantId], day: Date, compared: &Compared) -> String {
    let names = merchants.iter().map(MerchantId::as_str).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("{day}  merchant number {mchid} ({names})")];
    if !compared.differences.is_empty() {
        lines.push(format!(
            "\n  {:<15} {:<8} {:<32} {:>14} {:<19} {:>14} {}",
            "difference", "of", "number", "here, CNY", "state", "there, CNY", "state"
        ));
        lines.extend(compared.differences.iter().map(line));
        lines.push(String::new());
    }
    let sums =
        |sums: Sums| format!("{} payments {} CNY, {} refunds {} CNY", sums.payments, yuan(sums.payments_fen), sums.refunds, yuan(sums.refunds_fen));
    lines.push(format!("  ledger: {}", sums(compared.here)));
    lines.push(format!("  bill:   {}", sums(compared.there)));
    if compared.foreign > 0 {
        lines.push(format!("  {} rows of the bill have numbers fengate does not make", compared.foreign));
    }
    lines.push(verdict(compared));
    lines.join("\n")
}

fn line(difference: &Difference) -> String {
    let side =
        |side: &Option<(i64, String)>| side.as_ref().map_or_else(|| ("-".to_owned(), "-".to_owned()), |(fen, state)| (yuan(*fen), state.clone()));
    let ((here, here_state), (there, there_state)) = (side(&difference.here), side(&difference.there));
    let (kind, what, number) = (difference.kind.name(), difference.what.name(), &difference.number);
    format!("  {kind:<15} {what:<8} {number:<32} {here:>14} {here_state:<19} {there:>14} {there_state}")
}

fn verdict(compared: &Compared) -> String {
    let counts = Kind::ALL.into_iter().filter_map(|kind| {
        let count = compared.differences.iter().filter(|difference| difference.kind == kind).count();
        (count > 0).then(|| format!("{count} {}", kind.name()))
    });
    match compared.differences.len() {
        0 => "  they agree to the fen".to_owned(),
        count => format!("  {count} differences: {}", counts.collect::<Vec<_>>().join(", ")),
    }
}

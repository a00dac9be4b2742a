//! `[[provider]]`, `[[model]]` and `[[function]]`.

use http::Uri;

use super::super::faults::Collector;
use super::super::raw::{ArgumentsTable, File, FunctionTable, LaneTable, ProviderTable, Text};
use super::super::secret::Source;
use super::super::{Lane, Model, Provider, ProviderBase};
use crate::payment::function::{AmountUnit, ArgumentPointers, Operation, PaymentFunction};
use crate::payment::terms::Method;

const CONNECT_MS: u64 = 1_000;
const FIRST_BYTE_MS: u64 = 15_000;
const IDLE_MS: u64 = 30_000;
const TOTAL_MS: u64 = 300_000;

/// `[[provider]]`
pub(super) fn providers(file: &File, source: &Source<'_>, faults: &mut Collector<'_>) -> Vec<Provider> {
    file.providers.iter().filter_map(|table| provider(file, table, source, faults)).collect()
}

fn provider(file: &File, table: &ProviderTable, source: &Source<'_>, faults: &mut Collector<'_>) -> Option<Provider> {
    if let Some(dialect) = table.dialect.as_ref().filter(|dialect| dialect.get_ref() != "openai") {
        faults.at(dialect.span(), "dialect must be \"openai\"");
    }
    let base = match table.base_url.get_ref().as_str() {
        "sandbox" => {
            if !file.has_sandbox {
                faults.at(table.base_url.span(), "base_url = \"sandbox\" needs a [sandbox]");
            }
            Some(ProviderBase::Sandbox)
        }
        _ => url(&table.base_url, table.key.is_some(), faults).map(ProviderBase::Url),
    };
    let key = table.key.as_ref().and_then(|key| source.secret(key.get_ref()).map_err(|what| faults.at(key.span(), what)).ok());
    if let (Some(secret), Some(text)) = (&key, &table.key)
        && !secret.expose().bytes().all(|b| b.is_ascii_graphic())
    {
        faults.at(text.span(), format!("{} holds a line break, a space or another character that no key has", text.get_ref()));
    }
    Some(Provider {
        id: table.id.get_ref().clone(),
        base: base?,
        key,
        connect_ms: table.timeouts.connect_ms.unwrap_or(CONNECT_MS),
        first_byte_ms: table.timeouts.first_byte_ms.unwrap_or(FIRST_BYTE_MS),
        idle_ms: table.timeouts.idle_ms.unwrap_or(IDLE_MS),
        total_ms: table.timeouts.total_ms.unwrap_or(TOTAL_MS),
    })
}

/// An address requests are sent to. What carries a key goes by https, or stays on this machine. Slashes at its end are taken off.
pub(super) fn url(text: &Text, carries_key: bool, faults: &mut Collector<'_>) -> Option<Uri> {
    let parsed: Option<Uri> = text.get_ref().trim_end_matches('/').parse().ok();
    let uri = parsed.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none());
    let Some(uri) = uri else {
        faults.at(text.span(), "this must be an address: https://host/path");
        return None;
    };
    if uri.scheme_str() == Some("http") && carries_key && !is_here(&uri) {
        faults.at(text.span(), "this would send a key in the clear: use https (http is for this machine only)");
        return None;
    }
    Some(uri)
}

/// Whether an address is this machine's.
pub(super) fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `[[model]]`
pub(super) fn models(file: &File, faults: &mut Collector<'_>) -> Vec<Model> {
    let mut models = Vec::new();
    for table in &file.models {
        let lanes: Vec<Lane> = table.lanes.get_ref().iter().map(|table| lane(file, table, faults)).collect();
        if lanes.iter().all(|lane| lane.weight == 0) {
            faults.at(table.lanes.span(), "at least one lane must have a weight");
        }
        for name in table.offer.iter().filter(|name| !file.function_names.contains(name.get_ref())) {
            faults.at(name.span(), format!("there is no [[function]] `{}`", name.get_ref()));
        }
        models.push(Model {
            name: table.name.get_ref().clone(),
            lanes,
            fallback: table.fallback.iter().map(|table| lane(file, table, faults)).collect(),
            offer: table.offer.iter().map(|name| name.get_ref().clone()).collect(),
        });
    }
    models
}

fn lane(file: &File, table: &LaneTable, faults: &mut Collector<'_>) -> Lane {
    if !file.provider_ids.contains(table.provider.get_ref()) {
        faults.at(table.provider.span(), format!("there is no [[provider]] `{}`", table.provider.get_ref()));
    }
    Lane { provider: table.provider.get_ref().clone(), model: table.model.clone(), weight: table.weight.unwrap_or(1) }
}

/// `[[function]]`
pub(super) fn functions(file: &File, faults: &mut Collector<'_>) -> Vec<PaymentFunction> {
    file.functions.iter().filter_map(|table| function(table, faults)).collect()
}

fn function(table: &FunctionTable, faults: &mut Collector<'_>) -> Option<PaymentFunction> {
    let name = table.name.get_ref();
    let fine = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !fine {
        faults.at(table.name.span(), "a function's name has 1 to 64 letters, digits, _ or -");
    }
    let operation = match table.operation.get_ref().as_str() {
        "pay" => Some(Operation::Pay),
        "query" => Some(Operation::Query),
        "refund" => Some(Operation::Refund),
        "close" => Some(Operation::Close),
        _ => {
            faults.at(table.operation.span(), "operation must be \"pay\", \"query\", \"refund\" or \"close\"");
            None
        }
    };
    let method = match &table.method {
        None => Some(Method::WechatNative),
        Some(word) => Method::from_name(word.get_ref()).filter(|method| *method == Method::WechatNative).or_else(|| {
            faults.at(word.span(), "method must be \"wechat_native\"");
            None
        }),
    };
    let amount_unit = match table.amount_unit.as_ref().map(|word| (word.get_ref().as_str(), word.span())) {
        None | Some(("fen", _)) => AmountUnit::Fen,
        Some(("yuan", _)) => AmountUnit::Yuan,
        Some((_, span)) => {
            faults.at(span, "amount_unit must be \"fen\" or \"yuan\"");
            AmountUnit::Fen
        }
    };
    let operation = operation?;
    let arguments = arguments(&table.arguments, operation, faults);
    let description = table.description.clone().unwrap_or_else(|| described(operation).to_owned());
    Some(PaymentFunction { name: name.clone(), operation, method: method?, amount_unit, arguments, description })
}

fn described(operation: Operation) -> &'static str {
    match operation {
        Operation::Pay => "Create a WeChat Pay order for what the user asked to pay, and get the page where they scan and pay.",
        Operation::Query => "Ask how a WeChat Pay payment stands.",
        Operation::Refund => {
            "Refund a paid WeChat Pay payment, in whole or in part, to where the money came from. Only when the user plainly asks for it."
        }
        Operation::Close => "Close a WeChat Pay order that has not been paid, so that nobody can pay it any more.",
    }
}

fn arguments(table: &ArgumentsTable, operation: Operation, faults: &mut Collector<'_>) -> ArgumentPointers {
    let mut pointer = |text: &Option<Text>| {
        let text = text.as_ref()?;
        if !text.get_ref().starts_with('/') {
            faults.at(text.span(), "this is a JSON pointer into the arguments and starts with a slash: \"/amount\"");
        }
        Some(text.get_ref().clone())
    };
    let pointers = ArgumentPointers {
        amount: pointer(&table.amount),
        description: pointer(&table.description),
        order_id: pointer(&table.order_id),
        payment: pointer(&table.payment),
        reason: pointer(&table.reason),
    };
    for (argument, text) in meaningless(operation, table) {
        faults.at(text.span(), format!("a {} function has no {argument}", operation.name()));
    }
    pointers
}

/// The arguments an operation has no use for, where they are given all the same: a mapping that says nothing is a mistake.
fn meaningless(operation: Operation, table: &ArgumentsTable) -> Vec<(&'static str, &Text)> {
    let given = [
        ("amount", &table.amount, matches!(operation, Operation::Pay | Operation::Refund)),
        ("description", &table.description, operation == Operation::Pay),
        ("order_id", &table.order_id, operation == Operation::Pay),
        ("payment", &table.payment, operation != Operation::Pay),
        ("reason", &table.reason, operation == Operation::Refund),
    ];
    given.into_iter().filter(|(_, _, meant)| !meant).filter_map(|(argument, text, _)| Some((argument, text.as_ref()?))).collect()
}

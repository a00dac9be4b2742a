//! Takes the file apart table by table, so that a fault in one hides no fault in another.

use serde::Deserialize;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::Collector;
use super::mend::read as one;
use super::raw::{File, LimitsTable};

/// Reads what can be read; what cannot becomes a fault with its line. `None` for a text that is no TOML.
pub(super) fn read(text: &str, faults: &mut Collector<'_>) -> Option<File> {
    let mut file = File::default();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(e) => {
            faults.at(e.span().unwrap_or(0..0), format!("this is not TOML: {}", one_line(e.message())));
            return None;
        }
    };
    for (key, value) in table {
        let span = key.span();
        match key.get_ref().as_ref() {
            "server" => file.server = one(value, faults).unwrap_or_default(),
            "ledger" => file.ledger = one(value, faults),
            "limits" => limits(value, faults),
            "sandbox" => {
                file.has_sandbox = true;
                file.sandbox = one(value, faults);
            }
            "classic" => file.classic = one(value, faults),
            "provider" => (file.provider_ids, file.providers) = many(value, "id", faults),
            "model" => (file.model_names, file.models) = many(value, "name", faults),
            "function" => (file.function_names, file.functions) = many(value, "name", faults),
            "merchant" => (file.merchant_ids, file.merchants) = many(value, "id", faults),
            other => faults.at(
                span,
                format!("there is no table `{other}`; known are server, ledger, limits, sandbox, classic, provider, model, function, merchant"),
            ),
        }
    }
    Some(file)
}

fn limits(value: Spanned<DeValue<'_>>, faults: &mut Collector<'_>) {
    if let Some(LimitsTable { store }) = one(value, faults)
        && store.get_ref() != "local"
    {
        faults.at(store.span(), "store must be \"local\"");
    }
}

/// The tables of an array, and the names of all of them, whether or not they could be read.
fn many<'t, T: Deserialize<'t>>(value: Spanned<DeValue<'t>>, name: &str, faults: &mut Collector<'_>) -> (Vec<String>, Vec<T>) {
    let span = value.span();
    let DeValue::Array(array) = value.into_inner() else {
        faults.at(span, "this is a list of tables: write it with two brackets, [[…]]");
        return (Vec::new(), Vec::new());
    };
    let names = array.iter().filter_map(|item| Some(item.get_ref().get(name)?.get_ref().as_str()?.to_owned())).collect();
    let tables = array.into_iter().filter_map(|item| one(item, faults)).collect();
    (names, tables)
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join("; ")
}

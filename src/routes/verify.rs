//! Verifies what was read: every rule that holds between the tables of `routes.toml`. Nothing stops at the first fault.

mod merchants;
mod models;
mod server;

use super::faults::Collector;
use super::raw::{File, Text};
use super::secret::Source;
use super::{ClassicUpstream, Routes};

/// The routes; `None`, or a value not to be used, if there were faults.
pub(super) fn verify(file: File, source: &Source<'_>, faults: &mut Collector<'_>) -> Option<Routes> {
    unique(file.providers.iter().map(|table| &table.id), "provider", faults);
    unique(file.models.iter().map(|table| &table.name), "model", faults);
    unique(file.functions.iter().map(|table| &table.name), "function", faults);
    unique(file.merchants.iter().map(|table| &table.id), "merchant", faults);
    if file.model_names.is_empty() {
        faults.whole("there is no [[model]]: nothing could be asked for");
    }
    if file.merchant_ids.is_empty() {
        faults.whole("there is no [[merchant]]: nobody could come in");
    }
    let server = server::server(&file, faults);
    let ledger_url = server::ledger(file.ledger.as_ref(), source, faults);
    let sandbox = file.sandbox.as_ref().map(|table| server::sandbox(table, source, faults));
    let classic = classic(&file, faults);
    let providers = models::providers(&file, source, faults);
    let models = models::models(&file, faults);
    let functions = models::functions(&file, faults);
    let merchants = merchants::merchants(&file, source, faults);
    Some(Routes { server: server?, ledger_url, sandbox: sandbox.flatten(), classic: classic?, providers, models, functions, merchants })
}

/// `[classic]`: the sandbox where there is one, else WeChat Pay.
fn classic(file: &File, faults: &mut Collector<'_>) -> Option<ClassicUpstream> {
    let Some(text) = file.classic.as_ref().and_then(|table| table.upstream.as_ref()) else {
        let vendor = merchants::WECHATPAY_URL.parse().ok().map(ClassicUpstream::Url);
        return if file.has_sandbox { Some(ClassicUpstream::Sandbox) } else { vendor };
    };
    let uri = models::url(text, true, faults)?;
    if uri.path() != "/" {
        faults.at(text.span(), "upstream is a scheme and a host: signatures cover the whole path, so nothing can stand before it");
    }
    Some(ClassicUpstream::Url(uri))
}

fn unique<'f>(names: impl Iterator<Item = &'f Text>, what: &str, faults: &mut Collector<'_>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name.get_ref()) {
            faults.at(name.span(), format!("a second {what} `{}`", name.get_ref()));
        }
    }
}

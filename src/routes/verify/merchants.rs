//! `[[merchant]]` and `[merchant.wechatpay]`.

use std::collections::HashMap;
use std::num::NonZeroU32;

use http::Uri;

use super::super::faults::{Collector, NOWHERE};
use super::super::key::{DEMO_KEY, KeyHash, hash_key, read_hash};
use super::super::pem;
use super::super::raw::{File, MerchantTable, PlatformValue, Text, WechatPayTable};
use super::super::secret::{Secret, Source};
use super::super::{MerchantRoute, PlatformKeys, WechatPayKeys, WechatPayRoute};
use super::models::{is_here, url};
use crate::ids::MerchantId;
use crate::merchant::{Algorithm, Merchant, ModelGrant, WechatPayAccount};

/// WeChat Pay AI's documented limit.
const INFERENCE_PER_SECOND: u32 = 100;

/// WeChat Pay's own address.
pub(super) const WECHATPAY_URL: &str = "https://api.mch.weixin.qq.com";

/// `[[merchant]]`
pub(super) fn merchants(file: &File, source: &Source<'_>, faults: &mut Collector<'_>) -> Vec<MerchantRoute> {
    let mut owners: HashMap<KeyHash, &str> = HashMap::new();
    let mut merchants = Vec::new();
    let mut demos = 0;
    for table in &file.merchants {
        let keys: Vec<KeyHash> = table.keys.iter().filter_map(|text| key(text, &mut owners, table.id.get_ref(), faults)).collect();
        let demo = table.demo.as_ref().filter(|demo| *demo.get_ref());
        if let Some(demo) = demo {
            demos += 1;
            if !file.has_sandbox || demos > 1 {
                faults.at(demo.span(), if file.has_sandbox { "only one merchant can be the demo" } else { "demo = true needs a [sandbox]" });
            }
        }
        if table.keys.is_empty() && demo.is_none() {
            faults.at(table.id.span(), "this merchant has no keys; `fengate key new` makes one");
        }
        merchants.extend(merchant(file, table, keys, demo.is_some(), source, faults));
    }
    merchants
}

fn key<'f>(text: &Text, owners: &mut HashMap<KeyHash, &'f str>, id: &'f str, faults: &mut Collector<'_>) -> Option<KeyHash> {
    let Some(hash) = read_hash(text.get_ref()) else {
        // It may be a key itself: it is not repeated.
        faults.at(text.span(), "a key is kept as \"sha256:\" and 64 hexadecimal digits; `fengate key new` prints that line");
        return None;
    };
    if hash == hash_key(DEMO_KEY) {
        faults.at(text.span(), "this is the demo key, which everybody knows; `fengate key new` makes one that nobody does");
    }
    if let Some(owner) = owners.insert(hash, id) {
        faults.at(text.span(), format!("this key belongs to merchant `{owner}` already"));
    }
    Some(hash)
}

fn merchant(
    file: &File,
    table: &MerchantTable,
    keys: Vec<KeyHash>,
    demo: bool,
    source: &Source<'_>,
    faults: &mut Collector<'_>,
) -> Option<MerchantRoute> {
    let id = table.id.get_ref();
    if !(1..=40).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        faults.at(table.id.span(), "a merchant's id has 1 to 40 small letters, digits or -");
    }
    let limit = table.inference_per_second.as_ref().map_or(INFERENCE_PER_SECOND, |limit| *limit.get_ref());
    let limit = NonZeroU32::new(limit);
    if let (None, Some(text)) = (limit, &table.inference_per_second) {
        faults.at(text.span(), "must be 1 or more");
    }
    let models = grant(file, table, faults);
    let wechatpay = match &table.wechatpay {
        None => None,
        Some(account) => Some(wechatpay(file, account.get_ref(), account.span(), source, faults)?),
    };
    let account = match &wechatpay {
        Some(WechatPayRoute::Account(keys)) => Some(WechatPayAccount { mchid: keys.mchid.clone(), appid: keys.appid.clone() }),
        Some(WechatPayRoute::Sandbox) | None => None,
    };
    let merchant = Merchant { id: MerchantId::new(id.as_str()), models, inference_per_second: limit?, wechatpay: account };
    Some(MerchantRoute { merchant, keys, demo, wechatpay })
}

fn grant(file: &File, table: &MerchantTable, faults: &mut Collector<'_>) -> ModelGrant {
    let Some(names) = &table.models else { return ModelGrant::All };
    if names.iter().any(|name| name.get_ref() == "*") {
        return ModelGrant::All;
    }
    for name in names.iter().filter(|name| !file.model_names.contains(name.get_ref())) {
        faults.at(name.span(), format!("there is no [[model]] `{}`", name.get_ref()));
    }
    ModelGrant::Only(names.iter().map(|name| name.get_ref().clone()).collect())
}

fn wechatpay(
    file: &File,
    table: &WechatPayTable,
    span: std::ops::Range<usize>,
    source: &Source<'_>,
    faults: &mut Collector<'_>,
) -> Option<WechatPayRoute> {
    // Whether it was to be the sandbox's cannot be told: then nothing is lacking.
    let span = if table.sandbox.as_ref().is_some_and(|sandbox| sandbox.span() == NOWHERE) { NOWHERE } else { span };
    if let Some(sandbox) = table.sandbox.as_ref().filter(|sandbox| *sandbox.get_ref()) {
        if !file.has_sandbox {
            faults.at(sandbox.span(), "sandbox = true needs a [sandbox]");
        }
        if table.mchid.is_some() || table.private_key.is_some() || table.apiv3_key.is_some() {
            faults.at(sandbox.span(), "sandbox = true brings its own account: leave the other keys out");
        }
        return Some(WechatPayRoute::Sandbox);
    }
    let mut needed = |text: &Option<Text>, name: &str| {
        if text.is_none() {
            faults.at(span.clone(), format!("[merchant.wechatpay] lacks {name}"));
        }
        text.clone()
    };
    let (mchid, appid, serial) = (needed(&table.mchid, "mchid"), needed(&table.appid, "appid"), needed(&table.serial, "serial"));
    let (private_key, apiv3_key) = (needed(&table.private_key, "private_key"), needed(&table.apiv3_key, "apiv3_key"));
    let mut secret = |text: Option<Text>| {
        text.and_then(|text| source.secret(text.get_ref()).map(|secret| (secret, text.span())).map_err(|what| faults.at(text.span(), what)).ok())
    };
    let (private_key, apiv3_key) = (secret(private_key), secret(apiv3_key));
    if let Some((_, span)) = private_key.as_ref().filter(|(secret, _)| !pem::is_private_key(secret.expose(), is_guomi(table))) {
        let named = table.private_key.as_ref().map(|text| text.get_ref().as_str()).unwrap_or_default();
        faults.at(span.clone(), format!("{named} holds no private key of this account in PEM (what WeChat Pay calls apiclient_key.pem)"));
    }
    if let Some((_, span)) = apiv3_key.as_ref().filter(|(secret, _)| secret.expose().len() != 32) {
        faults.at(span.clone(), "an APIv3 key has 32 characters; what this names has another length");
    }
    let platform = platform(table, span.clone(), source, faults);
    let base_url = table.base_url.as_ref().map_or_else(|| WECHATPAY_URL.parse::<Uri>().ok(), |text| url(text, true, faults));
    let backup_url = table.backup_url.as_ref().map(|text| url(text, true, faults));
    sub_merchant(table, faults);
    let algorithm = match table.algorithm.as_ref().map(|word| (word.get_ref().as_str(), word.span())) {
        None | Some(("rsa", _)) => Algorithm::Rsa,
        Some(("sm2", _)) => Algorithm::Sm2,
        Some((_, span)) => {
            faults.at(span, "algorithm must be \"rsa\" or \"sm2\" (GuoMi, which WeChat Pay opens on request)");
            return None;
        }
    };
    if span != NOWHERE && base_url.as_ref().is_some_and(|url| !is_here(url)) {
        notices_arrive(file, faults);
    }
    Some(WechatPayRoute::Account(Box::new(WechatPayKeys {
        mchid: mchid?.into_inner(),
        appid: appid?.into_inner(),
        algorithm,
        serial: serial?.into_inner(),
        private_key: private_key?.0,
        apiv3_key: apiv3_key?.0,
        platform: platform?,
        base_url: base_url?,
        backup_url: backup_url.flatten(),
        sub_mchid: table.sub_mchid.clone().map(Text::into_inner),
        sub_appid: table.sub_appid.clone().map(Text::into_inner),
    })))
}

/// A partner collects for somebody else, and a sub-merchant's application belongs to a sub-merchant.
fn sub_merchant(table: &WechatPayTable, faults: &mut Collector<'_>) {
    if let Some(sub) = table.sub_mchid.as_ref().filter(|sub| table.mchid.as_ref().is_some_and(|own| own.get_ref() == sub.get_ref())) {
        faults.at(sub.span(), "sub_mchid is the partner's own mchid: leave it out for an ordinary merchant");
    }
    if let (Some(sub_appid), None) = (&table.sub_appid, &table.sub_mchid) {
        faults.at(sub_appid.span(), "sub_appid needs a sub_mchid");
    }
}

/// WeChat Pay has to find this fengate: it sends notices to https only, and to no address of this machine.
fn notices_arrive(file: &File, faults: &mut Collector<'_>) {
    match &file.server.public_url {
        None => faults.whole("[server] lacks public_url = \"https://…\": a merchant has an account at WeChat Pay, which sends its notices there"),
        Some(url) if !url.get_ref().starts_with("https://") => {
            faults.at(url.span(), "WeChat Pay sends notices by https only, and a merchant has an account there: write https://…");
        }
        Some(_) => {}
    }
}

fn is_guomi(table: &WechatPayTable) -> bool {
    table.algorithm.as_ref().is_some_and(|word| word.get_ref() == "sm2")
}

fn platform(table: &WechatPayTable, span: std::ops::Range<usize>, source: &Source<'_>, faults: &mut Collector<'_>) -> Option<PlatformKeys> {
    let wrong = "platform must be \"certificates\" or { id = \"PUB_KEY_ID_…\", file = \"pub_key.pem\" }";
    let Some(value) = &table.platform else {
        faults.at(span, format!("[merchant.wechatpay] lacks platform; {wrong}"));
        return None;
    };
    match value.get_ref() {
        PlatformValue::Word(word) if word == "certificates" => Some(PlatformKeys::Certificates),
        PlatformValue::PublicKey(key) if key.id.starts_with("PUB_KEY_ID_") => {
            let pem: Result<Secret, String> = source.secret(&format!("file:{}", key.file));
            let pem = pem.and_then(|pem| {
                let told = || format!("file:{} holds no public key in PEM (what WeChat Pay calls pub_key.pem)", key.file);
                if pem::is_public_key(pem.expose(), is_guomi(table)) { Ok(pem) } else { Err(told()) }
            });
            pem.map(|pem| PlatformKeys::PublicKey { id: key.id.clone(), pem: pem.expose().to_owned() })
                .map_err(|what| faults.at(value.span(), what))
                .ok()
        }
        _ => {
            faults.at(value.span(), wrong);
            None
        }
    }
}

//! `routes.toml` as it is written: one struct per table, unknown keys refused, spans kept where a fault may have to name a line.

use serde::Deserialize;
use serde_spanned::Spanned;

/// A text with its place.
pub(super) type Text = Spanned<String>;

/// The whole file, as far as it could be read.
#[derive(Default)]
pub(super) struct File {
    pub(super) server: ServerTable,
    pub(super) ledger: Option<LedgerTable>,
    pub(super) sandbox: Option<SandboxTable>,
    pub(super) classic: Option<ClassicTable>,
    pub(super) providers: Vec<ProviderTable>,
    pub(super) models: Vec<ModelTable>,
    pub(super) functions: Vec<FunctionTable>,
    pub(super) merchants: Vec<MerchantTable>,
    /// Names of tables that were there, readable or not: what refers to them is not at fault.
    pub(super) provider_ids: Vec<String>,
    pub(super) model_names: Vec<String>,
    pub(super) function_names: Vec<String>,
    pub(super) merchant_ids: Vec<String>,
    /// A `[sandbox]` is there, readable or not.
    pub(super) has_sandbox: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerTable {
    pub(super) listen: Option<Text>,
    pub(super) admin: Option<Text>,
    pub(super) public_url: Option<Text>,
    pub(super) body_bytes_max: Option<Spanned<u64>>,
    pub(super) drain_ms: Option<u64>,
    pub(super) connections_max: Option<Spanned<u64>>,
    pub(super) connections_per_address_max: Option<Spanned<u64>>,
    pub(super) workers: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerTable {
    pub(super) url: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) store: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SandboxTable {
    pub(super) listen: Option<Text>,
    pub(super) dir: Option<String>,
    pub(super) callback_time_divisor: Option<Spanned<u32>>,
    pub(super) platform: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassicTable {
    pub(super) upstream: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    pub(super) id: Text,
    pub(super) dialect: Option<Text>,
    pub(super) base_url: Text,
    pub(super) key: Option<Text>,
    #[serde(default)]
    pub(super) timeouts: TimeoutsTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimeoutsTable {
    pub(super) connect_ms: Option<u64>,
    pub(super) first_byte_ms: Option<u64>,
    pub(super) idle_ms: Option<u64>,
    pub(super) total_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    pub(super) name: Text,
    pub(super) lanes: Spanned<Vec<LaneTable>>,
    #[serde(default)]
    pub(super) fallback: Vec<LaneTable>,
    #[serde(default)]
    pub(super) offer: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaneTable {
    pub(super) provider: Text,
    pub(super) model: String,
    pub(super) weight: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionTable {
    pub(super) name: Text,
    pub(super) operation: Text,
    pub(super) method: Option<Text>,
    pub(super) amount_unit: Option<Text>,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) arguments: ArgumentsTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArgumentsTable {
    pub(super) amount: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) order_id: Option<Text>,
    pub(super) payment: Option<Text>,
    pub(super) reason: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MerchantTable {
    pub(super) id: Text,
    #[serde(default)]
    pub(super) keys: Vec<Text>,
    pub(super) demo: Option<Spanned<bool>>,
    pub(super) models: Option<Vec<Text>>,
    pub(super) inference_per_second: Option<Spanned<u32>>,
    pub(super) wechatpay: Option<Spanned<WechatPayTable>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WechatPayTable {
    pub(super) sandbox: Option<Spanned<bool>>,
    pub(super) mchid: Option<Text>,
    pub(super) appid: Option<Text>,
    pub(super) serial: Option<Text>,
    pub(super) private_key: Option<Text>,
    pub(super) apiv3_key: Option<Text>,
    pub(super) platform: Option<Spanned<PlatformValue>>,
    pub(super) base_url: Option<Text>,
    pub(super) backup_url: Option<Text>,
    pub(super) algorithm: Option<Text>,
    pub(super) sub_mchid: Option<Text>,
    pub(super) sub_appid: Option<Text>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum PlatformValue {
    Word(String),
    PublicKey(PublicKeyTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicKeyTable {
    pub(super) id: String,
    pub(super) file: String,
}

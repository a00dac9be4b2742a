//! `routes.toml`: what may be asked for, by whom, and where it goes. `raw` is the file as written, `verify` finds every fault with its line,
//! [`Routes`] is valid by construction.

mod faults;
mod key;
mod mend;
mod pem;
mod raw;
mod secret;
mod tables;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::Uri;

pub use faults::{Fault, Faults};
pub use key::{DEMO_KEY, KeyHash, hash_key, new_key};
pub use secret::Secret;

use crate::merchant::{Algorithm, Merchant};
use crate::payment::function::PaymentFunction;

/// A whole, valid `routes.toml`.
#[derive(Debug)]
pub struct Routes {
    /// `[server]`
    pub server: Server,
    /// `[ledger] url`, a `sqlite:` path.
    pub ledger_url: String,
    /// `[sandbox]`; `None` in production.
    pub sandbox: Option<SandboxTable>,
    /// `[classic] upstream`: where requests signed by a merchant number of no `[[merchant]]` go.
    pub classic: ClassicUpstream,
    /// `[[provider]]`
    pub providers: Vec<Provider>,
    /// `[[model]]`
    pub models: Vec<Model>,
    /// `[[function]]`
    pub functions: Vec<PaymentFunction>,
    /// `[[merchant]]`
    pub merchants: Vec<MerchantRoute>,
}

/// `[server]`: listeners and limits.
#[derive(Clone, Debug)]
pub struct Server {
    /// The public listener.
    pub listen: SocketAddr,
    /// The admin listener; never to be exposed.
    pub admin: SocketAddr,
    /// Where clients and WeChat Pay reach the public listener, without a slash at the end; `None` for the listener's own address.
    pub public_url: Option<String>,
    /// The largest body of a chat request, in bytes.
    pub body_bytes_max: usize,
    /// How long a drain waits for open streams and payments.
    pub drain_ms: u64,
    /// Most connections on the public listener.
    pub connections_max: usize,
    /// Most of them of one address (of an IPv6 address, its /64). Behind a proxy all have the proxy's: then give it as much as `connections_max`.
    pub connections_per_address_max: usize,
    /// Threads that serve; `None` for one a core.
    pub workers: Option<usize>,
}

/// `[sandbox]`: WeChat Pay v3, a payer's phone and a deterministic model on this machine.
#[derive(Clone, Debug)]
pub struct SandboxTable {
    /// Its listener.
    pub listen: SocketAddr,
    /// Where it keeps its keys and orders.
    pub dir: PathBuf,
    /// By how much its callbacks come sooner than WeChat Pay's.
    pub callback_time_divisor: u32,
    /// Which keys the demo merchant verifies with.
    pub platform: SandboxPlatform,
}

/// Which keys a merchant of the sandbox verifies with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPlatform {
    /// Platform certificates.
    Certificates,
    /// The WeChat Pay public key.
    PublicKey,
}

/// Where classic requests go whose merchant number is in no `[[merchant]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassicUpstream {
    /// The built-in sandbox.
    Sandbox,
    /// This address.
    Url(Uri),
}

/// `[[provider]]`: somebody who runs models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in lanes, metrics and usage records.
    pub id: String,
    /// Where it is.
    pub base: ProviderBase,
    /// Its key; `None` for one that asks for none.
    pub key: Option<Secret>,
    /// Until a connection.
    pub connect_ms: u64,
    /// Until an answer's headers.
    pub first_byte_ms: u64,
    /// Between two pieces of a stream.
    pub idle_ms: u64,
    /// For everything.
    pub total_ms: u64,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderBase {
    /// The built-in sandbox's model.
    Sandbox,
    /// This address; `/chat/completions` is added to it.
    Url(Uri),
}

/// `[[model]]`: a name clients ask for.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name.
    pub name: String,
    /// Lanes that share first attempts by weight.
    pub lanes: Vec<Lane>,
    /// Lanes tried in order after those.
    pub fallback: Vec<Lane>,
    /// Names of payment functions the model is offered when a client declares none.
    pub offer: Vec<String>,
}

/// One way to a model.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The provider's id.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Its share of first attempts.
    pub weight: u32,
}

/// `[[merchant]]`.
#[derive(Clone, Debug)]
pub struct MerchantRoute {
    /// Who it is. The account of a sandbox merchant is known only once the sandbox runs and is `None` here.
    pub merchant: Merchant,
    /// Hashes of its keys.
    pub keys: Vec<KeyHash>,
    /// Whether [`DEMO_KEY`] stands for it.
    pub demo: bool,
    /// Where its orders are made.
    pub wechatpay: Option<WechatPayRoute>,
}

/// `[merchant.wechatpay]`.
#[derive(Clone, Debug)]
pub enum WechatPayRoute {
    /// `sandbox = true`: the built-in sandbox's merchant.
    Sandbox,
    /// An account at WeChat Pay.
    Account(Box<WechatPayKeys>),
}

/// The keys of an account at WeChat Pay.
#[derive(Clone, Debug)]
pub struct WechatPayKeys {
    /// Merchant number.
    pub mchid: String,
    /// Application.
    pub appid: String,
    /// Which algorithms it signs with.
    pub algorithm: Algorithm,
    /// Serial number of the merchant's API certificate.
    pub serial: String,
    /// The merchant's private key, PEM.
    pub private_key: Secret,
    /// The APIv3 key.
    pub apiv3_key: Secret,
    /// How WeChat Pay's signatures are verified.
    pub platform: PlatformKeys,
    /// Scheme and host of the API.
    pub base_url: Uri,
    /// Another host of the same API, if the vendor's own is not meant.
    pub backup_url: Option<Uri>,
    /// Whom a partner collects for.
    pub sub_mchid: Option<String>,
    /// The sub-merchant's application.
    pub sub_appid: Option<String>,
}

/// How WeChat Pay's signatures are verified.
#[derive(Clone, Debug)]
pub enum PlatformKeys {
    /// With platform certificates, which are fetched.
    Certificates,
    /// With the WeChat Pay public key.
    PublicKey {
        /// `PUB_KEY_ID_…`
        id: String,
        /// The key, PEM.
        pem: String,
    },
}

/// Reads and verifies the file at `path`.
pub fn load(path: &Path) -> Result<Routes, Faults> {
    let text = std::fs::read_to_string(path).map_err(|e| Faults::of_file(path, format!("cannot be read: {e}. Give another with --config PATH")))?;
    let dir = path.parent().unwrap_or(Path::new(""));
    read(&text, dir, &|name| std::env::var(name).ok()).map_err(|faults| faults.in_file(path))
}

/// Verifies the text of a file that lies in `dir`; `env` gives environment variables.
pub fn read(text: &str, dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Routes, Faults> {
    let mut faults = faults::Collector::new(text);
    let routes = tables::read(text, &mut faults).and_then(|raw| verify::verify(raw, &secret::Source { dir, env }, &mut faults));
    match (routes, faults.into_faults()) {
        (Some(routes), faults) if faults.0.is_empty() => Ok(routes),
        (_, faults) => Err(faults),
    }
}

#[cfg(test)]
mod tests;

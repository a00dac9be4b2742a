//! Starts everything a `routes.toml` names, and ends it: listeners first, then open streams and payments, the ledger last.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::HeaderValue;
use tokio::net::TcpListener;

use super::classic::{classic, herald};
use super::{Means, chat, front, lane, model};
use crate::clock::Clock;
use crate::connectors::Connector;
use crate::connectors::herald::KeyError;
use crate::connectors::wechatpay::{Config, ConfigError, Platform, SubMerchant};
use crate::dial::{Dial, DialError};
use crate::edge::admin::Admin;
use crate::edge::auth::Callers;
use crate::edge::hosts::Hosts;
use crate::edge::serve::{Serving, serve};
use crate::edge::{House, Model, SharedHouse};
use crate::ids::MerchantId;
use crate::ledger::{Ledger, LedgerError};
use crate::limits::Limits;
use crate::merchant::{Algorithm, Merchant, WechatPayAccount};
use crate::metrics::Metrics;
use crate::payment::function::PaymentFunction;
use crate::payments::announce::Announce;
use crate::payments::carry::Carry;
use crate::payments::execute::{Execute, Rail, Rails};
use crate::payments::reconcile::Reconcile;
use crate::payments::settle::Settle;
use crate::providers::openai::{Endpoint, Timeouts, provider};
use crate::routes::{self, MerchantRoute, PlatformKeys, ProviderBase, Routes, SandboxPlatform, WechatPayRoute};
use crate::sandbox::{self, Sandbox, SandboxError};
use crate::steps::failover::Lane;
use crate::tasks::Tasks;

/// How long a connection to a payment rail may take.
pub(super) const RAIL_CONNECT: Duration = Duration::from_secs(3);

/// How long an idle connection to WeChat Pay is kept: it ends them itself after 8 s.
pub(super) const RAIL_IDLE: Duration = Duration::from_secs(7);

/// Most connections on the admin listener.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Why fengate does not start: one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken, or not ours to take.
    #[error("{listener} cannot listen on {address}: {why}. Stop what listens there, or change {key} in routes.toml")]
    Listen {
        /// Which listener.
        listener: &'static str,
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
        /// The key in the file.
        key: &'static str,
    },
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The sandbox cannot be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// fengate's platform key cannot be read or made.
    #[error(transparent)]
    PlatformKey(#[from] KeyError),
    /// A merchant's account cannot be used.
    #[error("merchant `{merchant}`: {why}")]
    Account {
        /// Whose.
        merchant: MerchantId,
        /// What is wrong with it.
        why: ConfigError,
    },
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Metrics cannot be registered: a defect.
    #[error("metrics cannot be registered: {0}")]
    Metrics(String),
    /// A provider's address or key cannot be put into a request.
    #[error("provider `{0}`: its base_url or key cannot be used in a request")]
    Provider(String),
}

/// A running fengate.
pub struct App {
    /// Where the public listener is.
    pub public: SocketAddr,
    /// Where the admin listener is.
    pub admin: SocketAddr,
    /// Where the sandbox is, if there is one.
    pub sandbox: Option<SocketAddr>,
    /// What the doors share.
    pub house: SharedHouse,
    tasks: Tasks,
    admin_tasks: Tasks,
    sandbox_tasks: Tasks,
    drain: Duration,
}

struct Listeners {
    public: TcpListener,
    admin: TcpListener,
    sandbox: Option<TcpListener>,
}

impl App {
    /// Starts everything. Returns once it serves.
    pub async fn start(routes: Routes, clock: Clock) -> Result<Self, StartError> {
        let metrics = Metrics::new().map_err(|e| StartError::Metrics(e.to_string()))?;
        let listeners = listen(&routes).await?;
        let (tasks, admin_tasks, sandbox_tasks) = (Tasks::new(), Tasks::new(), Tasks::new());
        let address = |listener: &TcpListener, wanted| listener.local_addr().unwrap_or(wanted);
        let (public, admin) = (address(&listeners.public, routes.server.listen), address(&listeners.admin, routes.server.admin));
        let sandbox = open_sandbox(&routes, &clock, &sandbox_tasks, listeners.sandbox.as_ref())?;
        let ledger = Ledger::open(&routes.ledger_url, clock.clone(), metrics.clone())?;
        let public_url = routes.server.public_url.clone().unwrap_or_else(|| format!("http://{}", reachable(public)));
        let rails = rails(&routes, sandbox.as_ref(), &public_url, &clock, &metrics)?;
        let settle = Settle { ledger: ledger.clone(), metrics: metrics.clone() };
        let execute = Execute {
            ledger: ledger.clone(),
            rails: Arc::clone(&rails),
            settle: settle.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
        };
        let herald = Arc::new(herald(&routes, &clock)?);
        let carry = Carry { execute: execute.clone(), settle: settle.clone(), metrics: metrics.clone(), public_url: public_url.clone() };
        let means = Means { ledger: ledger.clone(), limits: Limits::new(), carry, metrics: metrics.clone(), public_url: public_url.clone() };
        let house = Arc::new(House {
            callers: callers(&routes, &rails),
            models: models(&routes, &means, sandbox.as_ref().map(|(_, address)| *address))?,
            functions: routes.functions.clone(),
            ledger: ledger.clone(),
            settle: settle.clone(),
            execute: execute.clone(),
            herald: Arc::clone(&herald),
            classic: classic(&routes, sandbox.as_ref().map(|(sandbox, address)| (sandbox.account(), *address)))?,
            rails,
            callback_audit: Limits::new(),
            public_url,
            body_bytes_max: routes.server.body_bytes_max,
            started: clock.now(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            metrics: metrics.clone(),
        });
        for rail in house.rails.values() {
            rail.connector.keep_fresh(&tasks);
        }
        let announce = Announce { ledger: ledger.clone(), rails: Arc::clone(&house.rails), herald, clock: clock.clone(), metrics: metrics.clone() };
        tasks.background(announce.run());
        tasks.background(Reconcile { ledger, execute, settle, clock, metrics: metrics.clone() }.run(house.started));
        let sandbox_address = sandbox.as_ref().map(|(_, address)| *address);
        if let (Some((sandbox, _)), Some(listener)) = (sandbox, listeners.sandbox) {
            sandbox_tasks.background(sandbox.serve(listener));
        }
        serve_public(&house, listeners.public, &routes.server);
        serve_admin(&house, (listeners.admin, admin), &admin_tasks);
        let drain = Duration::from_millis(routes.server.drain_ms);
        Ok(Self { public, admin, sandbox: sandbox_address, house, tasks, admin_tasks, sandbox_tasks, drain })
    }

    /// Ends it: nothing new starts, open streams and payments end, the ledger is closed. False if something had to be cut off.
    pub async fn drain(self) -> bool {
        self.tasks.stop();
        let in_time = tokio::time::timeout(self.drain, self.tasks.drained()).await.is_ok();
        if !in_time {
            tracing::warn!(left = self.tasks.vital_count(), "the drain's time is over; what is left is cut off and found again at the next start");
        }
        self.sandbox_tasks.stop();
        if let Err(e) = self.house.ledger.close().await {
            tracing::error!(error = %e, "the ledger could not be closed");
        }
        // Until here `/readyz` says that this process drains, and `/metrics` how far it is.
        self.admin_tasks.stop();
        in_time
    }
}

async fn listen(routes: &Routes) -> Result<Listeners, StartError> {
    let bind = async |address, listener, key| TcpListener::bind(address).await.map_err(|why| StartError::Listen { listener, address, why, key });
    let sandbox = match &routes.sandbox {
        Some(table) => Some(bind(table.listen, "the sandbox", "[sandbox] listen").await?),
        None => None,
    };
    Ok(Listeners {
        public: bind(routes.server.listen, "the public listener", "[server] listen").await?,
        admin: bind(routes.server.admin, "the admin listener", "[server] admin").await?,
        sandbox,
    })
}

fn serve_public(house: &SharedHouse, listener: TcpListener, limits: &routes::Server) {
    let serving = Serving {
        listener: "public",
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max,
        tasks: house.tasks.clone(),
        metrics: house.metrics.clone(),
    };
    let doors = Arc::clone(house);
    house.tasks.background(serve(listener, serving, move |peer| front(Arc::clone(&doors), peer)));
}

/// `tasks` are the listener's own: it serves until the drain has ended.
fn serve_admin(house: &SharedHouse, (listener, address): (TcpListener, SocketAddr), tasks: &Tasks) {
    if address.ip().is_unspecified() {
        tracing::warn!(
            "the admin listener is open on every address of this machine and asks nobody who they are: give [server] admin one that is not reachable from outside"
        );
    }
    let admin = Admin { hosts: Hosts::of(address), metrics: house.metrics.clone(), ledger: house.ledger.clone(), tasks: house.tasks.clone() };
    let serving = Serving {
        listener: "admin",
        connections_max: ADMIN_CONNECTIONS_MAX,
        connections_per_address_max: ADMIN_CONNECTIONS_MAX,
        tasks: tasks.clone(),
        metrics: house.metrics.clone(),
    };
    tasks.background(serve(listener, serving, move |_| {
        let admin = admin.clone();
        tower::service_fn(move |request| admin.clone().enter(request))
    }));
}

fn open_sandbox(routes: &Routes, clock: &Clock, tasks: &Tasks, listener: Option<&TcpListener>) -> Result<Option<(Sandbox, SocketAddr)>, StartError> {
    let (Some(table), Some(listener)) = (&routes.sandbox, listener) else { return Ok(None) };
    let settings = sandbox::Settings { dir: table.dir.clone(), callback_time_divisor: table.callback_time_divisor };
    let sandbox = Sandbox::open(&settings, clock.clone(), tasks.clone())?;
    Ok(Some((sandbox, listener.local_addr().unwrap_or(table.listen))))
}

/// An address somebody on this machine can call: one that listens everywhere is called here.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], address.port())) } else { address }
}

/// Each merchant's account at WeChat Pay, by merchant. Fails on keys that cannot be read; sends nothing.
pub fn connectors(
    routes: &Routes,
    sandbox: Option<(&sandbox::Account, SocketAddr)>,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<HashMap<MerchantId, Connector>, StartError> {
    let dial = Dial::keeping(RAIL_CONNECT, RAIL_IDLE)?;
    let mut connectors = HashMap::new();
    for route in &routes.merchants {
        let Some(config) = config(routes, route, sandbox) else { continue };
        let connector = Connector::wechatpay(config, dial.clone(), clock.clone(), metrics.clone());
        let connector = connector.map_err(|why| StartError::Account { merchant: route.merchant.id.clone(), why })?;
        connectors.insert(route.merchant.id.clone(), connector);
    }
    Ok(connectors)
}

fn config(routes: &Routes, route: &MerchantRoute, sandbox: Option<(&sandbox::Account, SocketAddr)>) -> Option<Config> {
    match (route.wechatpay.as_ref()?, sandbox) {
        (WechatPayRoute::Account(keys), _) => Some(Config {
            account: WechatPayAccount { mchid: keys.mchid.clone(), appid: keys.appid.clone() },
            sub_merchant: keys.sub_mchid.clone().map(|sub_mchid| SubMerchant { sub_mchid, sub_appid: keys.sub_appid.clone() }),
            algorithm: keys.algorithm,
            serial: keys.serial.clone(),
            private_key_pem: keys.private_key.expose().to_owned(),
            apiv3_key: keys.apiv3_key.expose().to_owned(),
            platform: match &keys.platform {
                PlatformKeys::Certificates => Platform::Certificates,
                PlatformKeys::PublicKey { id, pem } => Platform::PublicKey { id: id.clone(), pem: pem.clone() },
            },
            base_url: keys.base_url.clone(),
            backup_url: keys.backup_url.clone(),
        }),
        (WechatPayRoute::Sandbox, Some((account, address))) => Some(Config {
            account: WechatPayAccount { mchid: account.mchid.clone(), appid: account.appid.clone() },
            sub_merchant: None,
            algorithm: Algorithm::Rsa,
            serial: account.serial.clone(),
            private_key_pem: account.private_key_pem.clone(),
            apiv3_key: account.apiv3_key.clone(),
            platform: match routes.sandbox.as_ref().map(|table| table.platform) {
                Some(SandboxPlatform::PublicKey) => Platform::PublicKey { id: account.public_key_id.clone(), pem: account.public_key_pem.clone() },
                _ => Platform::Certificates,
            },
            base_url: format!("http://{}", reachable(address)).parse::<Uri>().ok()?,
            backup_url: None,
        }),
        (WechatPayRoute::Sandbox, None) => None,
    }
}

fn rails(routes: &Routes, sandbox: Option<&(Sandbox, SocketAddr)>, public_url: &str, clock: &Clock, metrics: &Metrics) -> Result<Rails, StartError> {
    let sandbox = sandbox.map(|(sandbox, address)| (sandbox.account(), *address));
    let connectors = connectors(routes, sandbox, clock, metrics)?;
    let rail = |(id, connector): (MerchantId, Connector)| {
        let notify_url = format!("{public_url}/callbacks/wechatpay/{id}");
        (id, Rail { connector, notify_url })
    };
    Ok(Arc::new(connectors.into_iter().map(rail).collect()))
}

fn callers(routes: &Routes, rails: &Rails) -> Callers {
    let mut callers = Callers::new();
    for route in &routes.merchants {
        let account = rails.get(&route.merchant.id).map(|rail| rail.connector.account());
        let merchant = Arc::new(Merchant { wechatpay: account, ..route.merchant.clone() });
        for hash in &route.keys {
            callers.admit(*hash, Arc::clone(&merchant));
        }
        if route.demo && routes.sandbox.is_some() {
            callers.admit_demo(merchant);
        }
    }
    callers
}

fn models(routes: &Routes, means: &Means, sandbox: Option<SocketAddr>) -> Result<HashMap<String, Model>, StartError> {
    let mut dials = HashMap::new();
    for table in &routes.providers {
        dials.insert(table.id.as_str(), Dial::new(Duration::from_millis(table.connect_ms))?);
    }
    let mut models = HashMap::new();
    for table in &routes.models {
        let stacks = |lanes: &[routes::Lane]| {
            lanes.iter().map(|lane| lane_of(routes, means, &dials, sandbox, (&table.name, lane))).collect::<Result<Vec<_>, _>>()
        };
        let stack = chat(means, model(means, &table.name, stacks(&table.lanes)?, stacks(&table.fallback)?));
        let offer: Vec<PaymentFunction> = routes.functions.iter().filter(|function| table.offer.contains(&function.name)).cloned().collect();
        models.insert(table.name.clone(), Model { stack, offer });
    }
    Ok(models)
}

fn lane_of(
    routes: &Routes,
    means: &Means,
    dials: &HashMap<&str, Dial>,
    sandbox: Option<SocketAddr>,
    (name, table): (&str, &routes::Lane),
) -> Result<Lane, StartError> {
    let unusable = || StartError::Provider(table.provider.clone());
    let route = routes.providers.iter().find(|route| route.id == table.provider).ok_or_else(unusable)?;
    let dial = dials.get(table.provider.as_str()).cloned().ok_or_else(unusable)?;
    let url = match (&route.base, sandbox) {
        (ProviderBase::Url(base), _) => format!("{}/chat/completions", base.to_string().trim_end_matches('/')),
        (ProviderBase::Sandbox, Some(address)) => format!("http://{}/v1/chat/completions", reachable(address)),
        (ProviderBase::Sandbox, None) => return Err(unusable()),
    };
    let authorization = match &route.key {
        Some(key) => {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| unusable())?;
            value.set_sensitive(true);
            Some(value)
        }
        None => None,
    };
    let ms = Duration::from_millis;
    let timeouts = Timeouts { first_byte: ms(route.first_byte_ms), idle: ms(route.idle_ms), total: ms(route.total_ms) };
    let endpoint = Endpoint { url: url.parse().map_err(|_| unusable())?, authorization, model: table.model.clone(), timeouts };
    let stack = lane(means, name, (&table.provider, &table.model), provider(endpoint, dial));
    Ok(Lane { provider: table.provider.clone(), weight: table.weight, stack })
}

//! The sandbox: WeChat Pay v3 on this machine, the payer's phone, and a deterministic model. It imports nothing of fengate but floor 0 and
//! does its own cryptography, so that a signing bug in the connector cannot cancel itself out.

mod accounts;
mod bills;
mod book;
mod callbacks;
mod desk;
mod faults;
mod guomi;
mod host;
mod limits;
mod model;
mod multipart;
mod pages;
mod phone;
mod platform;
mod seal;
mod sensitive;
mod serve;
mod sign;
mod switches;
mod time;
mod v3;
mod wallet;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;

pub use accounts::Account;

use crate::clock::Clock;
use crate::tasks::Tasks;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it keeps its keys and orders; made if it is not there.
    pub dir: PathBuf,
    /// 1 for the documented times between callbacks, 1,000 for a thousandth of them.
    pub callback_time_divisor: u32,
}

/// Why a sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file of its folder cannot be read or written.
    #[error("the sandbox's {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said, or what is wrong with it.
        why: String,
    },
    /// Keys could not be made.
    #[error("the sandbox's keys cannot be made: {0}")]
    Keys(String),
}

/// The sandbox; cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where keys and journals lie.
    dir: PathBuf,
    accounts: accounts::Accounts,
    platform: platform::Platform,
    signer: sign::Signer,
    orders: book::orders::Orders,
    notices: book::notices::Notices,
    products: book::products::Products,
    faults: faults::Faults,
    switches: switches::Board,
    limits: limits::Limits,
    wallet: wallet::Wallet,
    courier: callbacks::Courier,
    /// The time of day: for signatures only.
    clock: Clock,
    /// The time of everything else.
    time: time::Time,
    /// Something may be due sooner than it was.
    due: Notify,
    tasks: Tasks,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandbox")
    }
}

impl Sandbox {
    /// Opens the sandbox in its folder: makes keys at first start, finds its orders again later.
    pub fn open(settings: &Settings, clock: Clock, tasks: Tasks) -> Result<Self, SandboxError> {
        std::fs::create_dir_all(&settings.dir).map_err(|e| SandboxError::File { path: settings.dir.clone(), why: e.to_string() })?;
        let accounts = accounts::Accounts::open(&settings.dir, &clock)?;
        let time = time::Time::at(&settings.dir.join("time.jsonl"), clock.clone())?;
        let platform = platform::Platform::at(&settings.dir.join("platform.jsonl"), &accounts.account)?;
        let inner = Inner {
            dir: settings.dir.clone(),
            signer: sign::Signer::new(&accounts, platform.signing(time.now()))?,
            platform,
            accounts,
            orders: book::orders::Orders::at(&settings.dir.join("orders.jsonl"))?,
            notices: book::notices::Notices::at(&settings.dir.join("notices.jsonl"))?,
            products: book::products::Products::at(&settings.dir)?,
            faults: faults::Faults::default(),
            switches: switches::Board::default(),
            limits: limits::Limits::new(),
            wallet: wallet::Wallet::default(),
            courier: callbacks::Courier::new(settings.callback_time_divisor)?,
            time,
            clock,
            due: Notify::new(),
            tasks,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The merchant that is set up here, keys included.
    pub fn account(&self) -> &Account {
        &self.inner.accounts.account
    }

    /// Serves until the process drains; callbacks a restart interrupted go on.
    pub async fn serve(self, listener: TcpListener) {
        callbacks::resume(&self.inner);
        let shared = Arc::clone(&self.inner);
        self.inner.tasks.background(async move { shared.ripen_always().await });
        serve::serve(&self.inner, listener).await;
    }
}

/// How long what a request made due waits, in milliseconds: whoever asked hears the answer before the end is reported to it.
const ANSWER_FIRST_MS: i64 = 100;

/// Longest time between two looks at what is due.
const LOOK_MS_MAX: i64 = 60_000;

impl Inner {
    /// Lets happen what is due, and reports it.
    fn ripen(self: &Arc<Self>) {
        let now = self.time.now();
        self.signer.turn(self.platform.signing(now));
        for (order, refund) in self.orders.ripen(now, self.switches.now().close_at_expiry) {
            callbacks::refunded(self, &order, &refund);
        }
    }

    async fn ripen_always(self: &Arc<Self>) {
        loop {
            self.ripen();
            v3::products::ripen(self);
            let due = self.orders.next_due(self.switches.now().close_at_expiry);
            let wait = due.map_or(LOOK_MS_MAX, |due| (due.0 - self.time.now().0).clamp(1, LOOK_MS_MAX));
            tokio::select! {
                () = self.time.wait(wait) => {}
                () = self.due.notified() => self.time.wait(ANSWER_FIRST_MS).await,
            }
        }
    }
}

//! The sandbox: WeChat Pay v3 on this machine, the payer's phone, and a deterministic model. It imports nothing of fengate but floor 0 and
//! does its own cryptography, so that a signing bug in the connector cannot cancel itself out.

mod accounts;
mod book;
mod callbacks;
mod desk;
mod faults;
mod model;
mod phone;
mod seal;
mod serve;
mod sign;
mod v3;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

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
    accounts: accounts::Accounts,
    signer: sign::Signer,
    orders: book::orders::Orders,
    faults: faults::Faults,
    courier: callbacks::Courier,
    clock: Clock,
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
        let account = Account::open(&settings.dir, &clock)?;
        let signer = sign::Signer::new(&account)?;
        let accounts = accounts::Accounts::new(account)?;
        let orders = book::orders::Orders::at(&settings.dir.join("orders.jsonl"))?;
        let courier = callbacks::Courier::new(settings.callback_time_divisor)?;
        Ok(Self { inner: Arc::new(Inner { accounts, signer, orders, faults: faults::Faults::default(), courier, clock, tasks }) })
    }

    /// The merchant that is set up here, keys included.
    pub fn account(&self) -> &Account {
        &self.inner.accounts.account
    }

    /// Serves until the process drains; callbacks a restart interrupted go on.
    pub async fn serve(self, listener: TcpListener) {
        callbacks::resume(&self.inner);
        serve::serve(&self.inner, listener).await;
    }
}

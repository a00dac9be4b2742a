//! The shelves of every product beside orders and refunds, and the bills that wait to be downloaded.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::SandboxError;
use super::contracts::Contract;
use super::score::ScoreOrder;
use super::sharing::Sharing;
use super::shelf::Shelf;
use super::transfers::Transfer;
use crate::clock::UnixMs;

/// How long a download address lives.
const DOWNLOAD_MS: i64 = 300_000;

/// Most downloads that wait; the oldest makes room.
const DOWNLOADS_MAX: usize = 64;

/// Someone a merchant may share with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Receiver {
    pub(crate) account: String,
    pub(crate) relation_type: String,
    /// The merchant took it off its list.
    pub(crate) deleted: bool,
}

/// A bill that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Download {
    pub(crate) token: String,
    pub(crate) mchid: String,
    pub(crate) is_gzip: bool,
    pub(crate) file: Bytes,
    until: UnixMs,
}

/// Everything the products hold.
#[derive(Debug)]
pub(crate) struct Products {
    pub(crate) receivers: Shelf<Receiver>,
    pub(crate) sharing: Shelf<Sharing>,
    pub(crate) transfers: Shelf<Transfer>,
    pub(crate) score: Shelf<ScoreOrder>,
    pub(crate) contracts: Shelf<Contract>,
    /// Bills of the day itself, and before they are ready: for a first try offline.
    pub(crate) same_day_bills: AtomicBool,
    downloads: Mutex<VecDeque<Download>>,
}

impl Products {
    /// Opens every shelf in the sandbox's folder.
    pub(crate) fn at(dir: &Path) -> Result<Self, SandboxError> {
        Ok(Self {
            receivers: Shelf::at(&dir.join("receivers.jsonl"))?,
            sharing: Shelf::at(&dir.join("sharing.jsonl"))?,
            transfers: Shelf::at(&dir.join("transfers.jsonl"))?,
            score: Shelf::at(&dir.join("score.jsonl"))?,
            contracts: Shelf::at(&dir.join("contracts.jsonl"))?,
            same_day_bills: AtomicBool::new(false),
            downloads: Mutex::new(VecDeque::new()),
        })
    }

    /// Keeps a bill for five minutes.
    pub(crate) fn offer(&self, token: String, mchid: &str, is_gzip: bool, file: Bytes, now: UnixMs) {
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        if downloads.len() >= DOWNLOADS_MAX {
            downloads.pop_front();
        }
        downloads.push_back(Download { token, mchid: mchid.to_owned(), is_gzip, file, until: now.plus_ms(DOWNLOAD_MS) });
    }

    /// The bill behind a token that is still good.
    pub(crate) fn download(&self, token: &str, now: UnixMs) -> Option<Download> {
        let downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        downloads.iter().find(|one| one.token == token && now <= one.until).cloned()
    }
}

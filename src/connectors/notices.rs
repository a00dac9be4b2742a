//! Notices in words every rail shares: what a rail reports by itself, verified and unsealed, or why it is not believed.

use super::orders::Transaction;
use super::refunds::Refund;
use super::wechatpay::products::{Combined, TransferReport};

/// A verified, unsealed notice. Only [`super::Connector::open_notice`] can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub(super) id: String,
    pub(super) event_type: String,
    pub(super) resource: Resource,
}

/// What a notice reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// An order that was paid.
    Transaction(Transaction),
    /// A refund that came to an end: made, closed or stuck.
    Refund(Refund),
    /// A combined order that was paid.
    Combined(Combined),
    /// A transfer that came to an end.
    Transfer(TransferReport),
    /// Something that moves nothing here.
    Other,
}

impl Notice {
    /// The rail's number of the notice.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about: `TRANSACTION.SUCCESS`, …
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// What it reports.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The order it reports, if it reports one.
    pub fn transaction(&self) -> Option<&Transaction> {
        match &self.resource {
            Resource::Transaction(transaction) => Some(transaction),
            Resource::Refund(_) | Resource::Combined(_) | Resource::Transfer(_) | Resource::Other => None,
        }
    }

    /// The refund it reports, if it reports one.
    pub fn refund(&self) -> Option<&Refund> {
        match &self.resource {
            Resource::Refund(refund) => Some(refund),
            Resource::Transaction(_) | Resource::Combined(_) | Resource::Transfer(_) | Resource::Other => None,
        }
    }
}

/// Why a notice is not believed. None of it moves anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// The rail's own test whether signatures are checked.
    #[error("a signature probe")]
    Probe,
    /// The signature does not hold, or its fields are missing.
    #[error("{0}")]
    BadSignature(String),
    /// Signed too long ago, or in the future.
    #[error("signed {0} s from now")]
    Stale(i64),
    /// Signed with a key nobody knows, which could not be asked for just now.
    #[error("signed with an unknown key {0}")]
    UnknownKey(String),
    /// Signed well, but it cannot be unsealed or understood.
    #[error("{0}")]
    Malformed(String),
}

impl NoticeError {
    /// The word in metrics and in the audit trail.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::BadSignature(_) | Self::UnknownKey(_) => "bad_signature",
            Self::Stale(_) => "stale",
            Self::Malformed(_) => "malformed",
        }
    }
}

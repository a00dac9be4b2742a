//! Tells a merchant what happened to one of its products.

use std::sync::Arc;

use serde_json::Value;

use super::super::super::book::notices::Notice;
use super::super::super::sign::KeyMode;
use super::super::super::{Inner, callbacks};

/// What kind of notice it is.
pub(super) struct Event {
    pub(super) event_type: &'static str,
    /// What the content is.
    pub(super) original_type: &'static str,
    pub(super) summary: &'static str,
}

/// Who is told, and where.
pub(super) struct To<'t> {
    pub(super) mchid: &'t str,
    /// Empty where nobody wants to hear.
    pub(super) notify_url: &'t str,
    /// Signed with the public key's mode.
    pub(super) is_public_key: bool,
}

/// Writes the notice down and delivers it in the background.
pub(super) fn tell(inner: &Arc<Inner>, to: &To<'_>, event: &Event, content: Value) {
    if to.notify_url.is_empty() {
        return;
    }
    callbacks::start(
        inner,
        Notice {
            id: uuid::Uuid::new_v4().to_string(),
            mchid: to.mchid.to_owned(),
            url: to.notify_url.to_owned(),
            key_mode: if to.is_public_key { KeyMode::PublicKey } else { KeyMode::Certificates },
            event_type: event.event_type.to_owned(),
            original_type: event.original_type.to_owned(),
            summary: event.summary.to_owned(),
            content,
            created_at: inner.time.now(),
            deliveries: Vec::new(),
            is_taken: false,
        },
    );
}

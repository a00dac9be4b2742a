//! What the classic path is made of: where the requests of each merchant number go, and who tells merchants of their payments.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use http::Uri;

use super::start::{RAIL_CONNECT, RAIL_IDLE, StartError, reachable};
use crate::clock::Clock;
use crate::connectors::herald::{Herald, PlatformKey};
use crate::dial::Dial;
use crate::edge::classic::{Classic, Upstream};
use crate::routes::{ClassicUpstream, Routes, WechatPayRoute};
use crate::sandbox;

/// Where classic requests go, by the merchant number that signed them.
pub(super) fn classic(routes: &Routes, sandbox: Option<(&sandbox::Account, SocketAddr)>) -> Result<Classic, StartError> {
    let unusable = || StartError::Provider("[classic]".to_owned());
    let here = sandbox.and_then(|(_, address)| format!("http://{}", reachable(address)).parse::<Uri>().ok());
    let otherwise = match (&routes.classic, &here) {
        (ClassicUpstream::Url(base), _) => Upstream::at(base, None, false),
        (ClassicUpstream::Sandbox, Some(base)) => Upstream::at(base, None, true),
        (ClassicUpstream::Sandbox, None) => None,
    };
    let mut by_mchid = HashMap::new();
    for route in &routes.merchants {
        let found = match (&route.wechatpay, sandbox, &here) {
            (Some(WechatPayRoute::Account(keys)), ..) => Some((keys.mchid.clone(), &keys.base_url, false)),
            (Some(WechatPayRoute::Sandbox), Some((account, _)), Some(base)) => Some((account.mchid.clone(), base, true)),
            _ => None,
        };
        if let Some((mchid, base, keeps_host)) = found {
            let upstream = Upstream::at(base, Some(route.merchant.id.clone()), keeps_host).ok_or_else(unusable)?;
            by_mchid.entry(mchid).or_insert(upstream);
        }
    }
    Ok(Classic { by_mchid, otherwise: otherwise.ok_or_else(unusable)?, dial: Dial::keeping(RAIL_CONNECT, RAIL_IDLE)? })
}

/// Who tells merchants of their payments. Its key lies beside the ledger.
pub(super) fn herald(routes: &Routes, clock: &Clock) -> Result<Herald, StartError> {
    let ledger = routes.ledger_url.strip_prefix("sqlite:").unwrap_or(&routes.ledger_url);
    let key = PlatformKey::open(Path::new(&format!("{ledger}.platform.pem")), clock)?;
    Ok(Herald { key, dial: Dial::keeping(RAIL_CONNECT, RAIL_IDLE)?, clock: clock.clone() })
}

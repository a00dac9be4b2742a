//! `fengate sandbox`: WeChat Pay v3 on this machine, on its own, for whoever has only an SDK.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;

use super::say;
use super::serve::{LogFormat, start_logs, told_to_end};
use crate::clock::Clock;
use crate::sandbox::{Account, Sandbox, Settings};
use crate::tasks::Tasks;

/// How long open requests may still take at the end.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// What `fengate sandbox` is told.
#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    /// Where it listens. Keep it on this machine: whoever reaches it can read its keys and pay its orders.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Where its keys and orders are kept; made if it is not there.
    #[arg(long, value_name = "PATH", default_value = "sandbox")]
    dir: PathBuf,
    /// 1 for the documented times between callbacks, 1000 for a thousandth of them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    callback_time_divisor: u32,
    /// How logs are written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

/// Serves the sandbox until it is told to end.
pub(super) fn serve(arguments: SandboxArguments) -> anyhow::Result<()> {
    start_logs(arguments.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads to serve with")?;
    runtime.block_on(async {
        let tasks = Tasks::new();
        let settings = Settings { dir: arguments.dir, callback_time_divisor: arguments.callback_time_divisor };
        let sandbox = Sandbox::open(&settings, Clock::system(), tasks.clone())?;
        let listener = TcpListener::bind(arguments.listen).await.with_context(|| format!("nothing can listen on {}", arguments.listen))?;
        let address = listener.local_addr().unwrap_or(arguments.listen);
        say(&welcome(sandbox.account(), address, &settings.dir));
        tasks.background(sandbox.serve(listener));
        let signal = told_to_end().await?;
        tracing::info!(signal, "ending: open requests are answered");
        tasks.stop();
        let in_time = tokio::time::timeout(DRAIN_WITHIN, tasks.drained()).await.is_ok();
        tracing::info!(in_time, "ended; orders, refunds and callbacks are found again at the next start");
        Ok(())
    })
}

/// What a newcomer reads.
fn welcome(account: &Account, address: SocketAddr, dir: &Path) -> String {
    let (mchid, appid, serial, dir) = (&account.mchid, &account.appid, &account.serial, dir.display());
    format!(
        r#"fengate {} sandbox: WeChat Pay v3 on this machine. No real money.

  sandbox   http://{address}   your SDK's base URL, and the payer's phone in a browser
  keys      {dir}/   account.json, apiclient_key.pem, apiclient_cert.pem, platform_cert.pem, pub_key.pem
  merchant  mchid {mchid}  appid {appid}
            serial {serial}  (the APIv3 key is in account.json)
  others    {dir}/merchants.json   a partner with two sub-merchants, and a merchant in public-key mode

A first order with Python (pip install wechatpayv3):

import json
from wechatpayv3 import WeChatPay, WeChatPayType
a = json.load(open("{dir}/account.json"))
wxpay = WeChatPay(WeChatPayType.NATIVE, a["mchid"], a["private_key"], a["serial"], a["appid"], a["apiv3_key"],
    notify_url="http://127.0.0.1:9000/notify", public_key=a["public_key"], public_key_id=a["public_key_id"])
wxpay._core._gate_way = "http://{address}"  # the SDK has no option for its host
print(wxpay.pay(description="blue sneakers", out_trade_no="order-0001", amount={{"total": 12900, "currency": "CNY"}}))
print(wxpay.query(out_trade_no="order-0001"))

Pay it on the phone at http://{address}/ and query again. Time, faults, refunds and the rest: docs/sandbox.md
"#,
        env!("CARGO_PKG_VERSION"),
    )
}

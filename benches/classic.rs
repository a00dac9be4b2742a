//! The classic path's figures, each beside what it is measured against in the same run and on the same core: orders signed here and callbacks
//! verified here against `openssl speed rsa2048`, client-signed pass-through against nginx. `cargo bench --bench classic` runs it;
//! `cargo bench --bench classic -- 10 5` takes ten rounds of five seconds. Needs nginx, openssl and taskset.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time and starts both sides of its conversations")]

#[path = "classic/load.rs"]
mod load;
#[path = "classic/platform.rs"]
mod platform;
#[path = "passthrough/proxies.rs"]
mod proxies;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use load::{Load, post};
use platform::Platform;
use proxies::Proxy;

/// Connections that ask.
const CONNECTIONS: usize = 64;

/// Callbacks prepared for one round: they are signed on the other core before it begins.
const CALLBACKS: u64 = 2_000;

const KEY: &str = "sk-bench";

/// Order numbers given out so far: each is used once.
static ORDERS: AtomicU64 = AtomicU64::new(0);

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (rounds, seconds) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(3));
    proxies::pin_self_to(1)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(usize::try_from(rounds)?, Duration::from_secs(seconds)))
}

async fn run(rounds: usize, length: Duration) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let platform = Platform::start(dir.path()).await?;
    let fengate = Proxy::fengate(dir.path(), "warn", &tables(platform.address)).await?;
    let nginx = Proxy::nginx(dir.path(), platform.address).await.context("nginx did not start: apt-get install nginx-light")?;
    let mut ratios: [Vec<f64>; 3] = Default::default();
    println!("{rounds} rounds of {} s, {CONNECTIONS} connections, fengate on one core with its durable ledger", length.as_secs());
    for round in 1..=rounds {
        // A platform signature holds five minutes.
        platform.renew();
        let (signs, verifies) = openssl(length)?;
        let orders = orders(fengate.address, length).await?;
        let callbacks = callbacks(fengate.address, &platform, length).await?;
        let (ours, theirs) = (passing(&fengate, length).await?, passing(&nginx, length).await?);
        for (of, ratio) in ratios.iter_mut().zip([orders / signs, callbacks / verifies, ours / theirs]) {
            of.push(ratio);
        }
        println!(
            "round {round}: openssl {signs:.0} sign/s {verifies:.0} verify/s   orders {orders:.0}/s   callbacks {callbacks:.0}/s   client-signed {ours:.1} us, nginx {theirs:.1} us CPU/request"
        );
    }
    for (what, ratios) in
        ["gateway-signed orders/s per sign/s (goal >= 0.6)", "verified callbacks/s per verify/s", "client-signed CPU per nginx's (goal <= 1.3)"]
            .iter()
            .zip(&mut ratios)
    {
        ratios.sort_by(f64::total_cmp);
        let at = |n: usize| ratios.get(n).copied().unwrap_or(f64::NAN);
        println!("{what:<50} x {:.2} ({:.2} to {:.2})", at(ratios.len() / 2), at(0), at(ratios.len().saturating_sub(1)));
    }
    println!("memory after all of it: fengate {} KiB, nginx {} KiB", fengate.rss_kib()?, nginx.rss_kib()?);
    Ok(())
}

/// A merchant whose WeChat Pay is the bench's platform.
fn tables(platform: SocketAddr) -> String {
    let hash = fengate::ids::hex(&fengate::routes::hash_key(KEY));
    format!(
        "[classic]\nupstream = \"http://{platform}\"\n[[provider]]\nid = \"none\"\nbase_url = \"http://{platform}/v1\"\n[[model]]\nname = \"none\"\nlanes = [{{ provider = \"none\", model = \"none\" }}]\n[[merchant]]\nid = \"bench\"\nkeys = [\"sha256:{hash}\"]\n[merchant.wechatpay]\nmchid = \"{}\"\nappid = \"{}\"\nserial = \"01\"\nprivate_key = \"file:merchant.pem\"\napiv3_key = \"file:apiv3.txt\"\nplatform = {{ id = \"{}\", file = \"platform.pem\" }}\nbase_url = \"http://{platform}\"\n",
        platform::MCHID,
        platform::APPID,
        platform::KEY_ID
    )
}

/// What the core can sign and verify a second with RSA of 2048 bits.
fn openssl(length: Duration) -> anyhow::Result<(f64, f64)> {
    let seconds = length.as_secs().max(1).to_string();
    let output =
        Command::new("taskset").args(["-c", "0", "openssl", "speed", "-seconds", &seconds, "rsa2048"]).output().context("openssl is needed")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().rev().find(|line| line.starts_with("rsa") && line.contains("2048")).context("no row of openssl speed")?;
    let rates: Vec<f64> = row.split("bits").nth(1).unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
    ensure!(rates.len() >= 2, "openssl speed said: {row}");
    Ok((rates[0], rates[1]))
}

/// Gateway-signed orders a second: each with a number of its own, recorded, signed, sent, its answer verified, and settled in the ledger.
async fn orders(to: SocketAddr, length: Duration) -> anyhow::Result<f64> {
    let bearer = format!("authorization: Bearer {KEY}\r\n");
    let done = Load { to, connections: CONNECTIONS, pace: None }
        .run(length, move |_| {
            let number = ORDERS.fetch_add(1, Ordering::Relaxed);
            let body = format!(
                r#"{{"description":"Image store, a pair of sneakers","out_trade_no":"bench{number:010}","amount":{{"total":188,"currency":"CNY"}}}}"#
            );
            Some(post("/v3/pay/transactions/native", to, &bearer, body.as_bytes()))
        })
        .await?;
    Ok(done.rate())
}

/// Verified callbacks a second: each settles an order of its own.
async fn callbacks(to: SocketAddr, platform: &Platform, length: Duration) -> anyhow::Result<f64> {
    let last = ORDERS.load(Ordering::Relaxed);
    // The last ones may not have been answered when the round ended.
    let numbers = last.saturating_sub(CALLBACKS + 200)..last.saturating_sub(200);
    let mut notices = Vec::new();
    for number in numbers {
        notices.push(platform.notice(to, &format!("bench{number:010}"))?);
    }
    ensure!(!notices.is_empty(), "too few orders to call back about");
    let done = Load { to, connections: CONNECTIONS, pace: None }.run(length * 20, move |n| notices.get(usize::try_from(n).ok()?).cloned()).await?;
    Ok(done.rate())
}

/// Processor time of a client-signed request, in microseconds; asked at a fixed rate, so that it does not depend on how busy the other side is.
async fn passing(proxy: &Proxy, length: Duration) -> anyhow::Result<f64> {
    let signed = format!(
        "authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"1900000002\",nonce_str=\"593BEC0C930BF1AFEB40B4A08C8FB242\",signature=\"{}\",timestamp=\"1790000000\",serial_no=\"5157F09EFDC096DE15EBE81A47057A7232F1B801\"\r\nwechatpay-serial: PUB_KEY_ID_0119000000012026010100000000000001\r\nuser-agent: wechatpay-axios-plugin/0.9.6\r\n",
        "A".repeat(344)
    );
    let to = proxy.address;
    let request = post("/v3/pay/transactions/native", to, &signed, platform::ORDER.as_bytes());
    let load = Load { to, connections: 16, pace: Some(Duration::from_millis(2)) };
    let warm = request.clone();
    load.run(Duration::from_millis(300), move |_| Some(warm.clone())).await?;
    let before = proxy.cpu_us()?;
    let done = load.run(length, move |_| Some(request.clone())).await?;
    Ok((proxy.cpu_us()? - before) as f64 / done.requests as f64)
}

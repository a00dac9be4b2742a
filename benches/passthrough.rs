//! Pass-through compared: fengate and nginx in front of the same fast upstream, in the same run, alternating, one core for the proxy and one for
//! everything else. `cargo bench` runs it; `cargo bench -- 10 5` takes ten rounds of five seconds. Needs nginx and taskset (Debian: nginx-light,
//! util-linux). What is printed are ratios and CPU microseconds a request: absolute times belong to the machine.

#![expect(clippy::print_stdout, reason = "a benchmark talks to people")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time and starts both sides of its conversations")]

#[path = "passthrough/load.rs"]
mod load;
#[path = "passthrough/proxies.rs"]
mod proxies;
#[path = "passthrough/upstream.rs"]
mod upstream;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use load::{Kind, Load};
use proxies::Proxy;

/// Connections that ask without a pause.
const CONNECTIONS: usize = 16;

/// Requests asked one after the other for the added latency.
const SINGLE_FILE: usize = 3_000;

/// Slow streams held open for the memory figure.
const SLOW_STREAMS: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (rounds, seconds) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(3));
    proxies::pin_self_to(1)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(run(usize::try_from(rounds)?, Duration::from_secs(seconds)))
}

async fn run(rounds: usize, length: Duration) -> anyhow::Result<()> {
    let upstream = upstream::start().await?;
    let dir = tempfile::tempdir()?;
    let nginx = Proxy::nginx(dir.path(), upstream).await.context("nginx did not start: apt-get install nginx-light")?;
    let fengate = Proxy::fengate(dir.path(), "warn", &tables(upstream)).await?;
    let logging = Proxy::fengate(dir.path(), "info", &tables(upstream)).await?;
    println!("memory, idle            fengate {:>7} KiB   nginx {:>7} KiB", fengate.rss_kib()?, nginx.rss_kib()?);
    for kind in [Kind::Whole, Kind::Streamed] {
        for paced in [true, false] {
            let pace = if paced { "at the same rate" } else { "as fast as each goes" };
            println!("\n{}, {pace}: {CONNECTIONS} connections, {rounds} rounds of {} s", kind.name(), length.as_secs());
            compare((kind, paced), rounds, length, [&fengate, &logging, &nginx]).await?;
        }
        latency(kind, upstream, [&fengate, &nginx]).await?;
    }
    println!("\nmemory, after {CONNECTIONS} busy  fengate {:>7} KiB   nginx {:>7} KiB", fengate.rss_kib()?, nginx.rss_kib()?);
    for (count, what) in [(64, "64 connections"), (SLOW_STREAMS, "1,000 slow streams")] {
        let (ours, theirs) = (held(&fengate, count).await?, held(&nginx, count).await?);
        println!("memory, {what:<19} fengate {ours:>4} KiB   nginx {theirs:>7} KiB");
    }
    Ok(())
}

/// A model at the fast upstream, with authentication and accounting.
fn tables(upstream: SocketAddr) -> String {
    let hash = fengate::ids::hex(&fengate::routes::hash_key("sk-bench"));
    format!(
        "[[provider]]\nid = \"fast\"\nbase_url = \"http://{upstream}/v1\"\ntimeouts = {{ idle_ms = 120000 }}\n[[model]]\nname = \"fast\"\nlanes = [{{ provider = \"fast\", model = \"fast\" }}]\n[[merchant]]\nid = \"bench\"\nkeys = [\"sha256:{hash}\"]\ninference_per_second = 1000000\n"
    )
}

/// Alternates the proxies and prints what each costs, and the ratios to nginx, round by round.
async fn compare((kind, paced): (Kind, bool), rounds: usize, length: Duration, proxies: [&Proxy; 3]) -> anyhow::Result<()> {
    let names = ["fengate", "fengate, logging", "nginx"];
    let mut costs = [const { Vec::new() }; 3];
    let mut rates = [const { Vec::new() }; 3];
    for proxy in proxies {
        Load::new(proxy.address, kind, CONNECTIONS).run(Duration::from_millis(500)).await?; // warm
    }
    for _ in 0..rounds {
        for (n, proxy) in proxies.iter().enumerate() {
            let before = proxy.cpu_us()?;
            let load = Load::new(proxy.address, kind, CONNECTIONS);
            let done = if paced { load.paced() } else { load }.run(length).await?;
            costs[n].push((proxy.cpu_us()? - before) as f64 / done.requests as f64);
            rates[n].push(done.requests as f64 / done.took.as_secs_f64());
        }
    }
    for n in 0..3 {
        let ratios: Vec<f64> = costs[n].iter().zip(&costs[2]).map(|(cost, nginx)| cost / nginx).collect();
        let (low, middle, high) = spread(ratios);
        let events = median(rates[n].clone()) * kind.events() as f64;
        let events = if kind.events() > 1 { format!("   {events:>9.0} events/s") } else { String::new() };
        let (cost, rate) = (median(costs[n].clone()), median(rates[n].clone()));
        println!("  {:<17} {cost:>7.1} CPU us/request   x {middle:.2} nginx ({low:.2} to {high:.2})   {rate:>7.0} requests/s{events}", names[n]);
    }
    Ok(())
}

/// What each proxy adds to a request asked alone, over asking the upstream itself.
async fn latency(kind: Kind, upstream: SocketAddr, [fengate, nginx]: [&Proxy; 2]) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for address in [upstream, fengate.address, nginx.address] {
        let times = Load::new(address, kind, 1).single_file(SINGLE_FILE).await?;
        found.push((percentile(&times, 50), percentile(&times, 99)));
    }
    let added = |n: usize| format!("p50 {:>6.1} us  p99 {:>6.1} us", found[n].0 - found[0].0, found[n].1 - found[0].1);
    println!("  added latency     fengate {}   nginx {}", added(1), added(2));
    Ok(())
}

/// Memory while `count` streams are open that have said one thing.
async fn held(proxy: &Proxy, count: usize) -> anyhow::Result<u64> {
    let open = Load::new(proxy.address, Kind::Slow, count).hold().await?;
    let kib = proxy.rss_kib()?;
    drop(open);
    Ok(kib)
}

fn median(values: Vec<f64>) -> f64 {
    spread(values).1
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

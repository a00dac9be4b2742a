//! The storm: the built binary is killed at random points between a model's call and the callback, and started again. However it dies,
//! exactly one order exists for the cart, and the ledger agrees with the payment side. Prints its seed; `STORM_SEED` repeats a run.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::rig::{KEY, order, routes_text};
use super::visitor;

/// How often the process is killed.
const KILLS: u32 = 50;

/// A running binary; killed when dropped.
struct Process {
    child: Child,
    public: SocketAddr,
    sandbox: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    async fn start(dir: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(dir.join("log.txt")).expect("a log");
        let out = std::fs::File::create(dir.join("out.txt")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_fengate"))
            .arg("--config")
            .arg(dir.join("routes.toml"))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(log)
            .spawn()
            .expect("started");
        let address = |text: &str, name: &str| {
            text.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("http://")?.split_whitespace().next()?.parse().ok())
        };
        let (public, sandbox) = visitor::until("the binary to serve", || async {
            let text = std::fs::read_to_string(dir.join("out.txt")).unwrap_or_default();
            Some((address(&text, "public")?, address(&text, "sandbox")?))
        })
        .await;
        Self { child, public, sandbox }
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }
}

/// Numbers that look random and repeat with their seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The order of a cart at the payment side, which must be the only one with its amount.
async fn orders_of(sandbox: SocketAddr, total: i64) -> Vec<Value> {
    let all = visitor::get(sandbox, "/sandbox/orders", &[]).await.json();
    all["orders"].as_array().expect("a list").iter().filter(|order| order["amount_fen"] == total).cloned().collect()
}

async fn payment(public: SocketAddr, body: &str) -> Option<Value> {
    let answer = visitor::post(public, "/v1/chat/completions", &[KEY], body.to_owned()).await;
    assert!(answer.status.is_success() || answer.status.is_server_error(), "{}", answer.text());
    answer.status.is_success().then(|| answer.json()["payments"][0].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_fifty_points_it_always_ends_with_one_order() {
    let seed =
        std::env::var("STORM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
    println!("STORM_SEED={seed}");
    let mut dice = Dice(seed);
    let dir = tempfile::tempdir().expect("a folder");
    // One address for the whole storm, so that callbacks of before a kill find the process of after it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let text = routes_text("").replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{port}\""), 1);
    std::fs::write(dir.path().join("routes.toml"), text).expect("written");
    for kill in 0..KILLS {
        let process = Process::start(dir.path()).await;
        let total = 1_000 + i64::from(kill);
        let mut body = order("pay for the blue sneakers", total);
        body["payment"]["idempotency_key"] = format!("cart-{kill}").into();
        body["stream"] = (kill % 3 == 0).into();
        let body = body.to_string();
        let (public, sandbox, sent) = (process.public, process.sandbox, body.clone());
        // Ask, and pay as soon as there is a code; somewhere in all this the process dies.
        let life = tokio::task::spawn(async move {
            let _ = tokio::net::TcpStream::connect(public).await;
            let _ = tokio::time::timeout(Duration::from_secs(5), visitor::post(public, "/v1/chat/completions", &[KEY], sent)).await;
            let found = orders_of(sandbox, total).await;
            if let Some(code) = found.first().and_then(|order| order["code_url"].as_str()) {
                visitor::post(sandbox, "/phone/pay", &[], serde_json::json!({"code_url": code}).to_string()).await;
            }
        });
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        process.kill();
        let _ = life.await;
        let process = Process::start(dir.path()).await;
        settle(&process, &body, total, seed, kill).await;
    }
}

/// After the restart: the same question finds the payment, the phone pays if it has not, and both sides agree.
async fn settle(process: &Process, body: &str, total: i64, seed: u64, kill: u32) {
    let whole = body.replace("\"stream\":true", "\"stream\":false");
    let found = visitor::until("the payment to be there and known", || async {
        let payment = payment(process.public, &whole).await?;
        matches!(payment["state"].as_str(), Some("awaiting_user" | "paid")).then_some(payment)
    })
    .await;
    let orders = orders_of(process.sandbox, total).await;
    assert_eq!(orders.len(), 1, "seed {seed}, kill {kill}: {orders:?}");
    assert_eq!(orders[0]["out_trade_no"], found["out_trade_no"], "seed {seed}, kill {kill}");
    if orders[0]["trade_state"] == "NOTPAY" {
        let code = orders[0]["code_url"].as_str().expect("a code");
        visitor::post(process.sandbox, "/phone/pay", &[], serde_json::json!({"code_url": code}).to_string()).await;
    }
    let id = found["id"].as_str().expect("an id");
    let paid = visitor::until("the ledger to agree", || async {
        let object = visitor::get(process.public, &format!("/v1/payments/{id}"), &[KEY]).await.json();
        (object["state"] == "paid").then_some(object)
    })
    .await;
    let orders = orders_of(process.sandbox, total).await;
    assert_eq!(
        (orders[0]["trade_state"].as_str(), &orders[0]["transaction_id"]),
        (Some("SUCCESS"), &paid["transaction_id"]),
        "seed {seed}, kill {kill}"
    );
}

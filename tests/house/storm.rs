//! The storm: the built binary is killed at random points between a model's call and the callback, and started again, while the payment side, a
//! process of its own, lives on. However it dies, at most one order exists for the cart, and the ledger comes to agree with the payment side: in
//! half of the rounds without another word of the client's. Prints its seed; `STORM_SEED` repeats a run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{order, routes_text};
use super::visitor;

/// How often the process is killed.
const KILLS: u32 = 50;

/// The merchant's key.
const KEY: (&str, &str) = ("authorization", "Bearer sk-storm");

/// A running binary; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts the binary; gives back where the listener called `name` is.
    async fn start(dir: &Path, name: &str, arguments: &[&str]) -> (Self, SocketAddr) {
        let log = std::fs::File::options().create(true).append(true).open(dir.join("log.txt")).expect("a log");
        let out = dir.join(format!("{name}.txt"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_fengate"));
        command.args(arguments).current_dir(dir).stdin(Stdio::null()).stderr(log);
        let child = command.stdout(std::fs::File::create(&out).expect("a file")).spawn().expect("started");
        let process = Self(child);
        let address = visitor::until(&format!("{name} to serve"), || async {
            let text = std::fs::read_to_string(&out).unwrap_or_default();
            text.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("http://")?.split_whitespace().next()?.parse().ok())
        })
        .await;
        (process, address)
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

/// The payment side, which lives through the storm, and the folder of the fengate that does not.
struct Storm {
    dir: tempfile::TempDir,
    sandbox: SocketAddr,
    public: SocketAddr,
    _sandbox: Process,
}

impl Storm {
    async fn rise() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--dir", "keys", "--callback-time-divisor", "100"];
        let (process, sandbox) = Process::start(dir.path(), "sandbox", &arguments).await;
        // One address for the whole storm, so that callbacks of before a kill find the process of after it.
        let public = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        std::fs::write(dir.path().join("routes.toml"), routes(dir.path(), public, sandbox)).expect("written");
        Self { dir, sandbox, public, _sandbox: process }
    }

    async fn fengate(&self) -> Process {
        Process::start(self.dir.path(), "public", &["--config", "routes.toml"]).await.0
    }

    /// The orders with this amount at the payment side.
    async fn orders(&self, total: i64) -> Vec<Value> {
        let all = visitor::get(self.sandbox, "/sandbox/orders", &[]).await.json();
        all["orders"].as_array().expect("a list").iter().filter(|order| order["amount_fen"] == total).cloned().collect()
    }

    /// The payment with this amount in the ledger's file: id and state.
    fn recorded(&self, total: i64) -> Option<(String, String)> {
        let file = self.dir.path().join("ledger.db");
        let connection = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opens");
        let row = connection.query_row("SELECT id, state FROM payment WHERE amount_minor = ?1", [total], |row| Ok((row.get(0)?, row.get(1)?)));
        row.optional().expect("reads")
    }

    /// Asks for the payment, and pays as soon as there is a code.
    async fn ask_and_pay(&self, body: &str, total: i64) {
        let head = format!("host: {}\r\nauthorization: {}\r\ncontent-length: {}\r\nconnection: close", self.public, KEY.1, body.len());
        let asking = async {
            let mut socket = tokio::net::TcpStream::connect(self.public).await?;
            socket.write_all(format!("POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n\r\n{body}").as_bytes()).await?;
            socket.read_to_end(&mut Vec::new()).await
        };
        // Whatever becomes of the answer: the connection breaks when the process dies.
        let _ = tokio::time::timeout(Duration::from_secs(5), asking).await;
        for order in self.orders(total).await {
            self.pay(&order).await;
        }
    }

    async fn pay(&self, order: &Value) {
        visitor::post(self.sandbox, "/phone/pay", &[], json!({"code_url": order["code_url"]}).to_string()).await;
    }

    /// In which kind of moment it died: what the ledger knew, and what the payment side.
    async fn moment(&self, total: i64) -> String {
        let recorded = self.recorded(total).map_or_else(|| "nothing".to_owned(), |(_, state)| state);
        let orders = self.orders(total).await;
        format!("{recorded}, {}", orders.first().map_or("no order", |order| order["trade_state"].as_str().expect("a state")))
    }
}

/// Routes without a sandbox: the merchant's account and the model are those of another process.
fn routes(dir: &Path, public: SocketAddr, sandbox: SocketAddr) -> String {
    let account: PathBuf = dir.join("keys/account.json");
    let account: Value = serde_json::from_str(&std::fs::read_to_string(account).expect("an account")).expect("JSON");
    let text = |name: &str| account[name].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
    std::fs::write(dir.join("merchant.pem"), text("private_key")).expect("written");
    std::fs::write(dir.join("apiv3.key"), text("apiv3_key")).expect("written");
    let fields = format!(
        "mchid = \"{}\"\nappid = \"{}\"\nserial = \"{}\"\nprivate_key = \"file:merchant.pem\"\napiv3_key = \"file:apiv3.key\"\nplatform = \"certificates\"\nbase_url = \"http://{sandbox}\"\n",
        text("mchid"),
        text("appid"),
        text("serial")
    );
    let key = fengate::ids::hex(&fengate::routes::hash_key("sk-storm"));
    routes_text("")
        .replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{public}\""), 1)
        .replace("[sandbox]\nlisten = \"127.0.0.1:0\"\ncallback_time_divisor = 100\n", "")
        .replace("base_url = \"sandbox\"", &format!("base_url = \"http://{sandbox}/v1\""))
        .replace("demo = true\n", &format!("keys = [\"sha256:{key}\"]\n"))
        .replace("[merchant.wechatpay]\nsandbox = true\n", &format!("[merchant.wechatpay]\n{fields}"))
}

fn cart(name: &str, total: i64, stream: bool) -> Value {
    let mut body = order("pay for the blue sneakers", total);
    body["payment"]["idempotency_key"] = name.into();
    body["stream"] = stream.into();
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_fifty_points_it_always_ends_with_one_order() {
    let seed =
        std::env::var("STORM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
    println!("STORM_SEED={seed}");
    let (mut dice, storm) = (Dice(seed), Storm::rise().await);
    // A life that nobody ends says how long one is on this machine: the kills fall all over it.
    let process = storm.fengate().await;
    let since = tokio::time::Instant::now();
    storm.ask_and_pay(&cart("calm", 999, false).to_string(), 999).await;
    visitor::until("a calm payment", || async { storm.recorded(999).filter(|(_, state)| state == "paid") }).await;
    let life = since.elapsed();
    drop(process);
    let mut moments: BTreeMap<String, u32> = BTreeMap::new();
    for kill in 0..KILLS {
        let (total, round) = (1_000 + i64::from(kill), format!("seed {seed}, kill {kill}"));
        let body = cart(&format!("cart-{kill}"), total, kill % 3 == 0);
        let process = storm.fengate().await;
        let after = Duration::from_micros(dice.below(u64::try_from(life.as_micros()).expect("short") * 5 / 4));
        let asked = body.to_string();
        tokio::join!(storm.ask_and_pay(&asked, total), async move {
            tokio::time::sleep(after).await;
            drop(process);
        });
        *moments.entry(storm.moment(total).await).or_default() += 1;
        let _process = storm.fengate().await;
        if kill % 2 == 0 {
            settle_alone(&storm, total, &round).await;
        } else {
            settle_asked_again(&storm, &body, total, &round).await;
        }
    }
    println!("killed after {life:?} at most, in these moments: {moments:?}");
    assert!(moments.len() >= 3, "seed {seed}: the kills all fall together: {moments:?}");
    let (seen, unseen) = moments.iter().fold((0, 0), |(seen, unseen), (moment, count)| match moment.starts_with("nothing") {
        true => (seen, unseen + count),
        false => (seen + count, unseen),
    });
    assert!(seen >= KILLS / 5 && unseen < KILLS, "seed {seed}: {seen} of {KILLS} carts were recorded when it died: {moments:?}");
}

/// After the restart nobody asks again. What was not recorded was never sent; what was recorded becomes known by itself, is paid and settled.
async fn settle_alone(storm: &Storm, total: i64, round: &str) {
    let Some((id, _)) = storm.recorded(total) else {
        assert_eq!(storm.orders(total).await, Vec::<Value>::new(), "{round}: an order nobody recorded");
        return;
    };
    let known = || async { storm.recorded(total).filter(|(_, state)| state == "awaiting_user" || state == "paid") };
    visitor::until(&format!("{round}: {id} to become known by itself"), known).await;
    agree(storm, &id, total, round).await;
}

/// After the restart the client asks the same again: it finds the payment, or makes the first.
async fn settle_asked_again(storm: &Storm, body: &Value, total: i64, round: &str) {
    let mut body = body.clone();
    body["stream"] = false.into();
    let found = visitor::until(&format!("{round}: the payment to be there and known"), || async {
        let answer = visitor::post(storm.public, "/v1/chat/completions", &[KEY], body.to_string()).await;
        assert!(answer.status.is_success() || answer.status.is_server_error(), "{round}: {}", answer.text());
        let payment = answer.status.is_success().then(|| answer.json()["payments"][0].clone())?;
        matches!(payment["state"].as_str(), Some("awaiting_user" | "paid")).then_some(payment)
    })
    .await;
    agree(storm, found["id"].as_str().expect("an id"), total, round).await;
}

/// One order, this payment's; the phone pays it if it has not, and both sides say the same.
async fn agree(storm: &Storm, id: &str, total: i64, round: &str) {
    let orders = storm.orders(total).await;
    assert_eq!(orders.len(), 1, "{round}: {orders:?}");
    if orders[0]["trade_state"] == "NOTPAY" {
        storm.pay(&orders[0]).await;
    }
    let paid = visitor::until(&format!("{round}: the ledger to agree"), || async {
        let object = visitor::get(storm.public, &format!("/v1/payments/{id}"), &[KEY]).await.json();
        (object["state"] == "paid").then_some(object)
    })
    .await;
    let orders = storm.orders(total).await;
    assert_eq!(orders.len(), 1, "{round}: {orders:?}");
    let side = &orders[0];
    assert_eq!(
        (side["trade_state"].as_str(), &side["out_trade_no"], &side["transaction_id"]),
        (Some("SUCCESS"), &paid["out_trade_no"], &paid["transaction_id"]),
        "{round}"
    );
}

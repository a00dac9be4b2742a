//! A rig: fengate in process, on ports of its own, with a ledger and a sandbox in a folder that goes away.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fengate::app::App;
use fengate::clock::Clock;
use fengate::ids::PaymentId;
use fengate::payment::record::Payment;
use fengate::payments::execute::Execute;
use fengate::payments::reconcile::Reconcile;
use fengate::routes;
use serde_json::{Value, json};

use super::visitor::{self, Answer};

/// The demo merchant's key, as a header field.
pub(crate) const KEY: (&str, &str) = ("authorization", "Bearer sk-fengate-demo");

/// The key of a second merchant, `other`.
pub(crate) const OTHER: (&str, &str) = ("authorization", "Bearer sk-other-merchants-key");

pub(crate) struct Rig {
    pub(crate) app: App,
    pub(crate) public: SocketAddr,
    pub(crate) sandbox: SocketAddr,
    pub(crate) dir: PathBuf,
    pub(crate) keep: Option<tempfile::TempDir>,
}

/// Routes with everything at the sandbox; `more` is added at their end.
pub(crate) fn routes_text(more: &str) -> String {
    let other = fengate::ids::hex(&routes::hash_key("sk-other-merchants-key"));
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
body_bytes_max = 65536
drain_ms = 10000
[ledger]
url = "sqlite:ledger.db"
[sandbox]
listen = "127.0.0.1:0"
callback_time_divisor = 100
{}
[[provider]]
id = "sandbox"
base_url = "sandbox"
[[model]]
name = "wechat-pay-base"
lanes = [{{ provider = "sandbox", model = "base" }}]
offer = ["create_payment", "query_payment", "refund_payment", "close_payment"]
[[model]]
name = "plain"
lanes = [{{ provider = "sandbox", model = "base" }}]
[[function]]
name = "create_payment"
operation = "pay"
arguments = {{ amount = "/total_fee", description = "/body", order_id = "/order_id" }}
[[function]]
name = "query_payment"
operation = "query"
arguments = {{ payment = "/payment" }}
[[function]]
name = "refund_payment"
operation = "refund"
arguments = {{ payment = "/payment", amount = "/amount", reason = "/reason" }}
[[function]]
name = "close_payment"
operation = "close"
arguments = {{ payment = "/payment" }}
[[merchant]]
id = "other"
keys = ["sha256:{other}"]
models = ["wechat-pay-base"]
[[merchant]]
id = "demo"
demo = true
inference_per_second = 1000
[merchant.wechatpay]
sandbox = true
{more}
"#,
        if more.contains("public_key_mode") { "platform = \"public_key\"" } else { "" }
    )
}

impl Rig {
    /// Starts with the sandbox's models.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// Starts with `more` at the end of the routes.
    pub(crate) async fn with(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().to_owned();
        let mut rig = Self::in_dir(&path, &routes_text(more)).await;
        rig.keep = Some(dir);
        rig
    }

    /// Starts with a clock that the test moves.
    pub(crate) async fn at(clock: &Clock, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().to_owned();
        let mut rig = Self::told_the_time(&path, &routes_text(more), clock.clone()).await;
        rig.keep = Some(dir);
        rig
    }

    /// Starts in a folder that may hold an earlier run.
    pub(crate) async fn in_dir(dir: &Path, text: &str) -> Self {
        Self::told_the_time(dir, text, Clock::system()).await
    }

    async fn told_the_time(dir: &Path, text: &str, clock: Clock) -> Self {
        std::fs::write(dir.join("provider.key"), "sk-upstream\n").expect("written");
        let routes = routes::read(text, dir, &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
        let app = App::start(routes, clock).await.unwrap_or_else(|e| panic!("{e}"));
        let (public, sandbox) = (app.public, app.sandbox.expect("a sandbox"));
        Self { app, public, sandbox, dir: dir.to_owned(), keep: None }
    }

    /// Asks a question as the demo merchant.
    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.chat_as(&[KEY], body).await
    }

    pub(crate) async fn chat_as(&self, fields: &[(&str, &str)], body: &Value) -> Answer {
        visitor::post(self.public, "/v1/chat/completions", fields, body.to_string()).await
    }

    /// What the phone does with a code.
    pub(crate) async fn phone(&self, code_url: &str) -> Answer {
        visitor::post(self.sandbox, "/phone/pay", &[], json!({"code_url": code_url}).to_string()).await
    }

    /// What goes wrong at the sandbox next.
    pub(crate) async fn faults(&self, faults: Value) {
        let answer = visitor::post(self.sandbox, "/sandbox/faults", &[], faults.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// How the payment side behaves from now on.
    pub(crate) async fn switches(&self, switches: Value) {
        let answer = visitor::post(self.sandbox, "/sandbox/switches", &[], switches.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Every refund at the payment side.
    pub(crate) async fn refunds(&self) -> Vec<Value> {
        let answer = visitor::get(self.sandbox, "/sandbox/refunds", &[]).await;
        answer.json()["refunds"].as_array().expect("a list").clone()
    }

    /// Every order at the payment side.
    pub(crate) async fn orders(&self) -> Vec<Value> {
        let answer = visitor::get(self.sandbox, "/sandbox/orders", &[]).await;
        answer.json()["orders"].as_array().expect("a list").clone()
    }

    /// A payment of the ledger.
    pub(crate) async fn payment(&self, id: &str) -> Payment {
        self.app.house.ledger.payment(&PaymentId::new(id)).await.expect("reads").expect("there")
    }

    /// What asks about open payments, to be driven by hand.
    pub(crate) fn reconcile(&self) -> Reconcile {
        let (house, metrics) = (&self.app.house, self.app.house.metrics.clone());
        let (ledger, settle, clock) = (house.ledger.clone(), house.settle.clone(), house.clock.clone());
        let execute = Execute {
            ledger: ledger.clone(),
            rails: house.rails.clone(),
            settle: settle.clone(),
            clock: clock.clone(),
            tasks: house.tasks.clone(),
            metrics: metrics.clone(),
        };
        Reconcile { ledger, execute, settle, clock, metrics }
    }

    /// Waits until a payment stands at `state`.
    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Payment {
        visitor::until(&format!("{id} to be {state}"), || async {
            let payment = self.payment(id).await;
            (payment.state.name() == state).then_some(payment)
        })
        .await
    }

    /// A number of `/metrics`; 0 where there is none.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = visitor::get(self.app.admin, "/metrics", &[]).await.text();
        let line = page.lines().find(|line| line.starts_with(name) && line[name.len()..].starts_with(' '));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |number| number.parse().expect("a number"))
    }
}

/// A question with an order of the merchant's; other words are about another order.
pub(crate) fn order(words: &str, total: i64) -> Value {
    let id = fengate::ids::Fingerprint::of(&[words.as_bytes()]);
    json!({
        "model": "wechat-pay-base", "messages": [{"role": "user", "content": words}],
        "payment": {"order": {"id": format!("SO-{}", &id.as_str()[..12]), "description": "blue sneakers", "amount": {"total": total, "currency": "CNY"}}},
    })
}

/// A question of the user's alone.
pub(crate) fn ask(words: &str) -> Value {
    json!({"model": "wechat-pay-base", "messages": [{"role": "user", "content": words}]})
}

/// A question after others: the messages in turn, the user's first.
pub(crate) fn talk(messages: &[&str]) -> Value {
    let role = |n: usize| if n.is_multiple_of(2) { "user" } else { "assistant" };
    // Directives for the model are nobody's words.
    let said = |(n, text): (usize, &&str)| {
        let (words, directive) = text.find('[').map_or((*text, ""), |at| text.split_at(at));
        let directive = (!directive.is_empty()).then(|| json!({"role": "system", "content": directive}));
        directive.into_iter().chain([json!({"role": role(n), "content": words.trim()})]).collect::<Vec<_>>()
    };
    let messages: Vec<Value> = messages.iter().enumerate().flat_map(said).collect();
    json!({"model": "wechat-pay-base", "messages": messages})
}

/// What an answer says.
pub(crate) fn said(answer: &Answer) -> String {
    answer.json()["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no text: {}", answer.text())).to_owned()
}

/// The same, streamed.
pub(crate) fn streamed(mut body: Value) -> Value {
    body["stream"] = true.into();
    body
}

/// The one payment of an answer.
pub(crate) fn payment_in(answer: &Answer) -> Value {
    let json = answer.json();
    let payments = json["payments"].as_array().unwrap_or_else(|| panic!("no payments: {json}"));
    assert_eq!(payments.len(), 1, "{json}");
    payments[0].clone()
}

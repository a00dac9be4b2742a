//! The storm of faults: thousands of orders and refunds while the payment side plays every fault it has, at seeded rates. In the end nothing is
//! doubled, nothing is lost, and ledger and payment side agree on every order and every refund. Prints its seed; `STORM_SEED` repeats a run,
//! `STORM_ORDERS` sets its size.

use std::collections::HashMap;
use std::sync::Arc;

use fengate::chat::call::{ChatCall, Path, PaymentPart};
use fengate::chat::request::{Added, ChatRequest, ToolChoice};
use fengate::clock::{Clock, UnixMs};
use fengate::connectors::{BillError, TradeBill, TradeBillKind};
use fengate::ids::{Fingerprint, IdempotencyKey, MerchantId, RequestId};
use fengate::language::Language;
use fengate::ledger::Books;
use fengate::merchant::{Merchant, ModelGrant};
use fengate::money::Money;
use fengate::payment::context::{PaymentContext, RefundWish};
use fengate::payment::record::{Identity, Payment};
use fengate::payment::refund::Refund;
use fengate::payment::state::State;
use fengate::payment::terms::{DecidedBy, Method, Terms};
use fengate::payments::classic;
use fengate::payments::day::Day;
use fengate::payments::decide::{decide, decide_refund};
use fengate::payments::execute::Execute;
use fengate::payments::interpret::RefundProposal;
use fengate::payments::refunds::ground::ground;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::giving_back::clock;
use super::rig::Rig;
use super::storm::Dice;
use super::visitor;

/// Orders unless `STORM_ORDERS` says otherwise.
const ORDERS: u64 = 10_000;

/// At once.
const AT_ONCE: usize = 32;

/// Rounds of looking after which everything has to be known.
const ROUNDS_MAX: u32 = 200;

/// Every fault of the sandbox, each at some rate.
fn weather(seed: u64) -> Value {
    let api = json!({"rates": {
        "reset_before_acting": 0.02, "reset_after_acting": 0.03, "status_500": 0.02, "status_500_after_acting": 0.02, "status_502_after_acting": 0.02,
        "status_503": 0.02, "status_429": 0.02, "truncated": 0.02, "bad_signature": 0.02, "latency": 0.05, "latency_ms": 20,
    }});
    json!({
        "seed": seed, "create": api, "query": api, "close": api, "refund": api, "connections": {"refused": 0.01},
        "callbacks": {"rates": {"lost": 0.3, "bad_signature": 0.05, "duplicated": 0.1, "reordered": 0.1}},
    })
}

/// The longest fengate waits before it asks about an order again, in milliseconds.
const LONGEST_WAIT_MS: i64 = 1_800_000;

/// What the storm works with.
struct Storm {
    rig: Rig,
    clock: Clock,
    execute: Execute,
    call: ChatCall,
    seed: u64,
    began: UnixMs,
}

/// The payment side of a question, as far as deciding looks.
fn part(name: &str) -> PaymentPart {
    PaymentPart {
        functions: Vec::new(),
        context: PaymentContext::default(),
        user_words: Vec::new(),
        identity: Identity::Named(IdempotencyKey::new(name)),
        determined: None,
        fingerprint: Fingerprint::of(&[name.as_bytes()]),
        language: Language::En,
    }
}

impl Storm {
    async fn start(seed: u64) -> Self {
        let clock = clock();
        let rig = Rig::at(&clock, "").await;
        let execute = rig.reconcile().execute;
        let id = MerchantId::new("demo");
        let account = rig.app.house.rails.get(&id).map(|rail| rail.connector.account());
        let merchant = Merchant { id, models: ModelGrant::All, inference_per_second: std::num::NonZeroU32::MIN, wechatpay: account };
        let request = ChatRequest {
            body: bytes::Bytes::new(),
            headers: Arc::default(),
            model: String::new(),
            stream: false,
            usage_asked: false,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            choices: 1,
            added: Added::default(),
        };
        let call = ChatCall {
            request_id: RequestId::random(),
            merchant: Arc::new(merchant),
            request,
            payment: None,
            path: Path::Model,
            deadline: tokio::time::Instant::now() + std::time::Duration::from_secs(3_600),
            stopwatch: Arc::default(),
        };
        Self { rig, began: clock.now(), clock, execute, call, seed }
    }

    /// Makes the order under `name`, or finds it.
    async fn order(&self, name: &str, fen: i64) -> Payment {
        let terms = Terms { amount: Money::fen(fen).expect("an amount"), description: name.to_owned(), method: Method::WechatNative };
        let part = part(name);
        let approved = decide(classic::grounded(terms, &part), DecidedBy::Rules, None, &self.call, &part).expect("approved");
        self.execute.pay(approved).await.expect("executed").payment
    }

    /// Makes the refund under `name`, or finds it; `None` if the ledger does not allow it now.
    async fn refund(&self, payment: &Payment, name: &str, amount: Option<Money>) -> Option<Refund> {
        let wish = RefundWish { id: Some(IdempotencyKey::new(name)), payment: Some(payment.id.clone()), amount, reason: None };
        let part = PaymentPart { context: PaymentContext { refund: Some(wish), ..PaymentContext::default() }, ..part(name) };
        let grounded = ground(RefundProposal { payment: None, amount_fen: None, reason: None }, payment, &part).expect("the merchant's word");
        let approved = decide_refund(grounded, None, &self.call, &part).expect("approved");
        self.execute.refund(approved).await.ok()
    }

    /// An order's life up to the payer: asked for once or twice at the same time, then paid, called off, or left alone.
    async fn live(&self, n: u64) {
        let mut dice = Dice(self.seed ^ (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (name, fen) = (format!("storm-{n}"), 100 + i64::try_from(dice.below(10_000)).expect("small"));
        let payment = if dice.below(4) == 0 {
            let (first, second) = tokio::join!(self.order(&name, fen), self.order(&name, fen));
            assert_eq!(first.out_trade_no, second.out_trade_no, "seed {}", self.seed);
            first
        } else {
            self.order(&name, fen).await
        };
        match (dice.below(10), &payment.code_url) {
            (0, Some(_)) => drop(self.execute.close(payment).await.expect("asked")),
            // Both at once: one of them wins, and the ledger has to know which.
            (1, Some(code)) => drop(tokio::join!(self.rig.phone(code), self.execute.close(payment.clone()))),
            (2..=8, Some(code)) => drop(self.rig.phone(code).await),
            _ => {}
        }
    }

    /// One or two partial refunds, or all of it, for one payment in three.
    async fn give_back(&self, n: u64, round: u64) {
        let mut dice = Dice(self.seed ^ (n + 7).wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
        if dice.below(3) > 0 {
            return;
        }
        let name = IdempotencyKey::new(format!("storm-{n}"));
        let Some(payment) = self.rig.app.house.ledger.payment_by_name(&MerchantId::new("demo"), &name).await.expect("reads") else { return };
        // All that is left, or a part of it.
        let amount = (dice.below(2) > 0).then(|| Money::fen(40).expect("an amount"));
        let number = format!("r{n}-{round}");
        let (first, second) = tokio::join!(self.refund(&payment, &number, amount), self.refund(&payment, &number, amount));
        if let (Some(first), Some(second)) = (first, second) {
            assert_eq!(first.out_refund_no, second.out_refund_no, "seed {}", self.seed);
        }
    }

    /// Looks at everything open, time passing, until all of it was asked about in good weather, nothing is in doubt and no refund is under way.
    async fn until_known(&self) {
        let ledger = &self.rig.app.house.ledger;
        self.clock.advance_ms(LONGEST_WAIT_MS);
        for _ in 0..ROUNDS_MAX {
            self.rig.reconcile().sweep(self.clock.now()).await;
            if !ledger.due(self.clock.now(), 1).await.expect("reads").is_empty() {
                continue;
            }
            let open = ledger.open_counts().await.expect("reads");
            let in_doubt = open.by_state.iter().any(|(state, _)| *state != State::AwaitingUser);
            if !in_doubt && ledger.open_refund_counts().await.expect("reads").is_empty() {
                return;
            }
            self.clock.advance_ms(10_000);
        }
        panic!("seed {}: not everything is known: {:?} {:?}", self.seed, ledger.open_counts().await, ledger.open_refund_counts().await);
    }
}

async fn all_at_once<F: Future<Output = ()>>(works: impl Iterator<Item = F>) {
    futures_util::stream::iter(works).for_each_concurrent(AT_ONCE, |work| work).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_every_fault_nothing_is_doubled_and_nothing_is_lost() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = setting("STORM_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
    let orders = setting("STORM_ORDERS").unwrap_or(ORDERS);
    println!("STORM_SEED={seed} STORM_ORDERS={orders}");
    let storm = Storm::start(seed).await;
    let started = tokio::time::Instant::now();
    storm.rig.faults(weather(seed)).await;
    all_at_once((0..orders).map(|n| storm.live(n))).await;
    println!("{orders} orders after {:?}", started.elapsed());
    for round in 0..2 {
        storm.clock.advance_ms(61_000);
        all_at_once((0..orders).map(|n| storm.give_back(n, round))).await;
    }
    println!("refunds after {:?}", started.elapsed());
    storm.rig.faults(json!({})).await;
    storm.until_known().await;
    println!("all known after {:?}", started.elapsed());
    agree(&storm, orders).await;
    bills_agree(&storm).await;
    println!("compared after {:?}", started.elapsed());
}

/// The bills of every day the storm lasted have the same to say, to the fen.
async fn bills_agree(storm: &Storm) {
    let allowed = visitor::post(storm.rig.sandbox, "/sandbox/bills", &[], json!({"same_day": true}).to_string()).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let books = Books::open(&format!("sqlite:{}", storm.rig.dir.join("ledger.db").display())).expect("opens");
    let merchants = [MerchantId::new("demo")];
    let connector = storm.rig.app.house.rails.get(&merchants[0]).expect("a rail").connector.clone();
    let date = |ms: i64| jiff::Timestamp::from_millisecond(ms).expect("a time").to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).date();
    let (mut day, last) = (date(storm.began.0), date(storm.clock.now().0));
    let mut rows = 0;
    while day <= last {
        let bill = match connector.trade_bill(day, TradeBillKind::All).await {
            Err(BillError::None) => TradeBill::default(),
            bill => bill.expect("a bill"),
        };
        rows += bill.rows.len();
        let compared = Day { books: &books, merchants: &merchants, day, pass_over_foreign: false }.compare(&bill, &mut |_, _| {}).expect("compared");
        assert!(compared.differences.is_empty(), "seed {}, {day}: {:?}", storm.seed, compared.differences);
        day = day.tomorrow().expect("a day");
    }
    println!("{rows} rows of bills agree");
}

/// Both sides, order by order and refund by refund.
async fn agree(storm: &Storm, orders: u64) {
    let (ledger, seed) = (&storm.rig.app.house.ledger, storm.seed);
    let by_number = |values: Vec<Value>, name: &'static str| -> HashMap<String, Value> {
        let count = values.len();
        let map: HashMap<String, Value> = values.into_iter().map(|value| (value[name].as_str().expect("a number").to_owned(), value)).collect();
        assert_eq!(map.len(), count, "seed {seed}: one number, one {name}");
        map
    };
    let (mut there, mut refunds_there) = (by_number(storm.rig.orders().await, "out_trade_no"), by_number(storm.rig.refunds().await, "out_refund_no"));
    let (mut paid, mut closed, mut given_back) = (0, 0, 0);
    for n in 0..orders {
        let name = IdempotencyKey::new(format!("storm-{n}"));
        let payment = ledger.payment_by_name(&MerchantId::new("demo"), &name).await.expect("reads").expect("recorded");
        let order = there.remove(payment.out_trade_no.as_str());
        let state = order.as_ref().and_then(|order| order["trade_state"].as_str());
        let agrees = match payment.state {
            State::AwaitingUser => state == Some("NOTPAY"),
            State::Closed => state == Some("CLOSED"),
            State::Failed => state.is_none(),
            State::Created | State::Unknown | State::Refunding => false,
            State::Paid => state == Some("SUCCESS"),
            State::PartiallyRefunded | State::Refunded => state == Some("REFUND"),
        };
        assert!(agrees, "seed {seed}, {n}: {payment:?} against {order:?}");
        let order = order.unwrap_or_default();
        if payment.state.is_paid() {
            paid += 1;
            assert_eq!(payment.transaction_id.as_deref(), order["transaction_id"].as_str(), "seed {seed}, {n}");
            assert_eq!(Some(payment.terms.amount.minor()), order["amount_fen"].as_i64(), "seed {seed}, {n}");
        }
        closed += u64::from(payment.state == State::Closed);
        let mut back = 0;
        for refund in ledger.refunds_of(&payment.id).await.expect("reads") {
            let made = refunds_there.remove(refund.out_refund_no.as_str());
            assert_eq!(made.as_ref().and_then(|made| made["status"].as_str()), Some("SUCCESS"), "seed {seed}, {n}: {refund:?}");
            assert_eq!(made.and_then(|made| made["amount_fen"].as_i64()), Some(refund.amount.minor()), "seed {seed}, {n}");
            back += refund.amount.minor();
            given_back += 1;
        }
        assert!(back <= payment.terms.amount.minor(), "seed {seed}, {n}: {back} fen given back of {payment:?}");
        assert_eq!(payment.refunded.map_or(0, Money::minor), back, "seed {seed}, {n}");
    }
    assert!(there.is_empty() && refunds_there.is_empty(), "seed {seed}: at the payment side only: {there:?} {refunds_there:?}");
    for kind in ["contradiction", "mismatch", "order_conflict", "refund_conflict", "unknown_order", "unknown_refund"] {
        assert_eq!(storm.rig.metric(&format!("fengate_payment_exceptions_total{{kind=\"{kind}\"}}")).await, 0.0, "seed {seed}: {kind}");
    }
    println!("{orders} orders: {paid} paid, {closed} closed; {given_back} refunds; 0 doubled, 0 lost");
    assert!(paid > orders / 2 && closed > 0 && given_back > orders / 10, "seed {seed}: the storm did what it is there for");
}

//! The connector against the sandbox, which does its own cryptography: every kind of order, refunds, bills, sealed fields, new certificates.

use fengate::clock::Clock;
use fengate::connectors::wechatpay::paysign::Client;
use fengate::connectors::wechatpay::products::{CombinedOrder, Echo, SubOrder, Transfer, TransferState};
use fengate::connectors::{
    Connector, CreateOutcome, FundAccount, H5Browser, Invitation, OrderDetails, OrderDraft, QueryOutcome, RefundDraft, RefundOutcome,
    RefundQueryOutcome, RefundStatus, Trade, TradeBillKind, TradeState,
};
use fengate::ids::{MerchantId, OutRefundNo, OutTradeNo};
use fengate::money::Money;
use fengate::payment::terms::{Method, Terms};
use serde_json::{Value, json};

use super::rig::Rig;
use super::visitor;

const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

fn fen(fen: i64) -> Money {
    Money::fen(fen).expect("an amount")
}

/// The demo merchant's connector, and where its notices come in.
fn rail(rig: &Rig) -> (Connector, String) {
    let rail = &rig.app.house.rails[&MerchantId::new("demo")];
    (rail.connector.clone(), rail.notify_url.clone())
}

async fn told(rig: &Rig, path: &str, body: Value) {
    let answer = visitor::post(rig.sandbox, path, &[], body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Makes an order and has it paid; how the payer comes to it is theirs.
async fn paid(rig: &Rig, number: &OutTradeNo, trade: Trade<'_>) {
    let (connector, notify_url) = rail(rig);
    let terms = Terms { amount: fen(12_900), description: "蓝色球鞋".to_owned(), method: Method::WechatNative };
    let draft = OrderDraft { out_trade_no: number, terms: &terms, notify_url: &notify_url, trade, details: OrderDetails::default() };
    let CreateOutcome::Ordered(invitation) = connector.create(trade.trade_type(), &connector.order_body(&draft)).await else {
        panic!("{trade:?} was not ordered")
    };
    assert!(matches!(connector.query(number).await, QueryOutcome::Found(order) if order.trade_state == TradeState::NotPay));
    if let Invitation::Prepay { prepay_id } = &invitation {
        invoked(rig, &connector, trade, prepay_id).await;
    }
    let how = match &invitation {
        Invitation::Code { code_url } => json!({"code_url": code_url}),
        Invitation::Prepay { prepay_id } => json!({"prepay_id": prepay_id}),
        Invitation::Page { h5_url } => json!({"h5_url": h5_url}),
    };
    told(rig, "/phone/pay", how).await;
    let QueryOutcome::Found(order) = connector.query(number).await else { panic!("{trade:?} is gone") };
    assert_eq!((&order.trade_state, order.amount_total), (&TradeState::Success, Some(12_900)), "{trade:?}");
    let id = order.transaction_id.clone().expect("paid");
    assert_eq!(connector.query_by_id(&id).await, QueryOutcome::Found(order), "both numbers name one order");
}

/// Hands a client's parameters to the cashier, which checks their signature.
async fn invoked(rig: &Rig, connector: &Connector, trade: Trade<'_>, prepay_id: &str) {
    let is_app = matches!(trade, Trade::App);
    let parameters = connector.client_parameters(if is_app { Client::App } else { Client::Jsapi }, prepay_id).expect("signed");
    // The cashier knows an app's parameters by their names on iOS; ours are Android's.
    let name = |name: &str| if is_app { name.to_lowercase().replace("packagevalue", "package") } else { name.to_owned() };
    let mut handed: Value = parameters.iter().map(|(of, value)| (name(of), json!(value))).collect();
    told(rig, "/phone/cashier", handed.clone()).await;
    handed[name("nonceStr")] = json!("another");
    assert_eq!(visitor::post(rig.sandbox, "/phone/cashier", &[], handed.to_string()).await.status, 400, "the cashier looks");
}

#[tokio::test]
async fn every_kind_of_order_is_made_paid_and_found() {
    for more in ["", "# public_key_mode"] {
        let rig = Rig::with(more).await;
        let h5 = Trade::H5 { payer_client_ip: std::net::IpAddr::from([203, 0, 113, 7]), browser: H5Browser::Wap };
        for (n, trade) in [Trade::Native, Trade::Jsapi { openid: OPENID }, Trade::App, h5].into_iter().enumerate() {
            paid(&rig, &OutTradeNo::new(format!("kind-{n}|x*")), trade).await;
        }
    }
}

#[tokio::test]
async fn money_goes_back_once_under_a_number_and_the_days_bills_say_so() {
    let rig = Rig::start().await;
    let (connector, notify_url) = rail(&rig);
    let (order, number) = (OutTradeNo::new("bill-1"), OutRefundNo::new("bill@1"));
    paid(&rig, &order, Trade::Native).await;
    let draft = RefundDraft {
        out_trade_no: &order,
        out_refund_no: &number,
        refund: fen(900),
        total: fen(12_900),
        reason: Some("尺码"),
        notify_url: &notify_url,
    };
    let body = connector.refund_body(&draft);
    assert_eq!(connector.query_refund(&number).await, RefundQueryOutcome::NotFound);
    for _ in 0..2 {
        assert!(matches!(connector.refund(&body).await, RefundOutcome::Accepted(refund) if refund.amount_refund_fen == 900));
    }
    visitor::until("the refund to be made", || async {
        matches!(connector.query_refund(&number).await, RefundQueryOutcome::Found(refund) if refund.status == RefundStatus::Success).then_some(())
    })
    .await;
    told(&rig, "/sandbox/bills", json!({"same_day": true})).await;
    let today = jiff::tz::Offset::from_hours(8)
        .expect("an offset")
        .to_datetime(jiff::Timestamp::from_second(Clock::system().now().seconds()).expect("now"))
        .date();
    let bill = connector.trade_bill(today, TradeBillKind::All).await.expect("a bill");
    let (payment, refund) = (&bill.rows[0], &bill.rows[1]);
    assert_eq!((bill.rows.len(), payment.out_trade_no.as_str(), payment.settlement_total_fen, &payment.refund), (2, "bill-1", 12_900, &None));
    let back = refund.refund.as_ref().expect("a refund");
    assert_eq!((back.out_refund_no.as_str(), back.refund_fen, bill.totals.refund_fen), ("bill@1", 900, 900));
    let flow = connector.fund_flow_bill(today, FundAccount::Basic).await.expect("a bill");
    assert_eq!(flow.rows.last().map(|row| row.balance_fen), Some(flow.income_fen - flow.expense_fen));
}

#[tokio::test]
async fn fields_are_sealed_for_the_other_side_both_ways() {
    let rig = Rig::start().await;
    let connector = rail(&rig).0;
    let echo = connector.products().echo(&Echo { message: "hello", secret: Some("秘密"), notify_url: None }).await.expect("sealed");
    let echoed = connector.call(&echo).await.expect("an echo");
    assert_eq!(echoed.echo_message, "hello");
    assert_eq!(connector.open_field(&echoed.secret.expect("a secret")).as_deref(), Ok("秘密"));
    let transfer = Transfer {
        out_bill_no: "transfer1",
        scene_id: "1005",
        openid: OPENID,
        user_name: Some("张三"),
        amount: fen(200_000),
        remark: "佣金",
        notify_url: None,
        reports: &[("岗位类型", "骑手"), ("报酬说明", "佣金")],
    };
    let call = connector.products().transfer(&transfer).await.expect("sealed");
    let first = connector.call(&call).await.expect("a transfer");
    assert_eq!(first.state, TransferState::WaitUserConfirm);
    let found = connector.call(&connector.products().query_transfer("transfer1")).await.expect("there");
    assert_eq!((found.transfer_bill_no, found.amount_fen), (first.transfer_bill_no, Some(200_000)));
}

#[tokio::test]
async fn several_orders_are_paid_in_one() {
    let rig = Rig::start().await;
    let (connector, notify_url) = rail(&rig);
    let mchid = connector.account().mchid;
    let numbers = ["combined-1", "part-1", "part-2"].map(OutTradeNo::new);
    let part = |out_trade_no, fens| SubOrder {
        mchid: &mchid,
        sub_mchid: None,
        out_trade_no,
        amount: fen(fens),
        description: "球鞋",
        attach: "x",
        profit_sharing: false,
    };
    let parts = [part(&numbers[1], 100), part(&numbers[2], 200)];
    let order = CombinedOrder { combine_out_trade_no: &numbers[0], sub_orders: &parts, trade: Trade::Native, expires: None, notify_url: &notify_url };
    let Ok(Invitation::Code { code_url }) = connector.call(&connector.products().combine(&order)).await else { panic!("not combined") };
    told(&rig, "/phone/pay", json!({"code_url": code_url})).await;
    let whole = connector.call(&connector.products().query_combined(&numbers[0])).await.expect("there");
    assert!(whole.sub_orders.iter().all(|part| part.trade_state == TradeState::Success));
    assert_eq!(whole.sub_orders.iter().map(|part| part.amount.total_fen).sum::<i64>(), 300);
}

#[tokio::test]
async fn a_new_certificate_is_fetched_when_something_is_signed_with_it() {
    let rig = Rig::start().await;
    let number = OutTradeNo::new("rotation-1");
    paid(&rig, &number, Trade::Native).await;
    told(&rig, "/sandbox/certificates", json!({"rotate": true})).await;
    assert!(matches!(rail(&rig).0.query(&number).await, QueryOutcome::Found(_)), "once, at once");
}

//! Tests of the thin calls: golden bytes and targets, natures, and how answers are read.

use super::super::fake::{Fake, Play};
use super::super::retry::Nature;
use super::super::tests::{connector_with, fresh_key};
use super::super::{Call, SubMerchant};
use super::*;
use crate::connectors::{Advice, Invitation, RefundStatus, Trade, TradeState};
use crate::ids::{OutRefundNo, OutTradeNo};
use crate::money::Money;
use crate::payment::terms::{Method as PayMethod, Terms};

fn fen(fen: i64) -> Money {
    Money::fen(fen).expect("an amount")
}

/// Method, target and body of a call on one line.
fn sent<A>(call: &Call<A>) -> String {
    format!("{} {} {}", call.method, call.target, String::from_utf8_lossy(call.body()))
}

fn parts() -> [OutTradeNo; 3] {
    ["c1", "a", "b"].map(OutTradeNo::new)
}

fn sub_orders(numbers: &[OutTradeNo; 3]) -> [SubOrder<'_>; 2] {
    let part = |out_trade_no, fens| SubOrder {
        mchid: "1900000001",
        sub_mchid: None,
        out_trade_no,
        amount: fen(fens),
        description: "球鞋",
        attach: "x",
        profit_sharing: fens == 20,
    };
    [part(&numbers[1], 10), part(&numbers[2], 20)]
}

#[test]
fn combined_orders_are_pinned_to_the_byte() {
    let rail = connector_with(&fresh_key(), None);
    let numbers = parts();
    let orders = sub_orders(&numbers);
    let order = CombinedOrder {
        combine_out_trade_no: &numbers[0],
        sub_orders: &orders,
        trade: Trade::Jsapi { openid: "o1" },
        expires: None,
        notify_url: "https://shop.example/n",
    };
    let made = Products(&rail).combine(&order);
    assert_eq!(
        sent(&made),
        r#"POST /v3/combine-transactions/jsapi {"combine_appid":"wx0123456789abcdef","combine_mchid":"1900000001","combine_out_trade_no":"c1","sub_orders":[{"mchid":"1900000001","attach":"x","amount":{"total_amount":10,"currency":"CNY"},"out_trade_no":"a","description":"球鞋"},{"mchid":"1900000001","attach":"x","amount":{"total_amount":20,"currency":"CNY"},"out_trade_no":"b","description":"球鞋","settle_info":{"profit_sharing":true}}],"combine_payer_info":{"openid":"o1"},"notify_url":"https://shop.example/n"}"#
    );
    assert_eq!((made.read)(br#"{"prepay_id":"wx1"}"#), Ok(Invitation::Prepay { prepay_id: "wx1".to_owned() }));
    let closed = Products(&rail).close_combined(&numbers[0], &orders);
    assert_eq!(
        sent(&closed),
        r#"POST /v3/combine-transactions/out-trade-no/c1/close {"combine_appid":"wx0123456789abcdef","sub_orders":[{"mchid":"1900000001","out_trade_no":"a"},{"mchid":"1900000001","out_trade_no":"b"}]}"#
    );
    let asked = Products(&rail).query_combined(&numbers[0]);
    assert_eq!(sent(&asked), "GET /v3/combine-transactions/out-trade-no/c1 ");
    let answer = r#"{"combine_appid":"wx1","combine_mchid":"19","combine_out_trade_no":"c1","sub_orders":[{"mchid":"19","out_trade_no":"a","trade_state":"NOTPAY","amount":{"total_amount":10}}]}"#;
    let whole = (asked.read)(answer.as_bytes()).expect("reads");
    assert_eq!((&whole.sub_orders[0].trade_state, whole.sub_orders[0].amount.currency.as_deref()), (&TradeState::NotPay, None));
}

#[tokio::test]
async fn a_transfer_with_a_name_carries_its_key_and_can_be_sent_again_as_it_was() {
    let fake = Fake::serving(vec![Play::Signed(
        200,
        r#"{"out_bill_no":"t1","transfer_bill_no":"13","create_time":"x","state":"WAIT_USER_CONFIRM","package_info":"p"}"#.to_owned(),
    )])
    .await;
    let rail = fake.rail(|_| ());
    let transfer = Transfer {
        out_bill_no: "t1",
        scene_id: "1005",
        openid: "o1",
        user_name: Some("张三"),
        amount: fen(200_000),
        remark: "佣金",
        notify_url: None,
        reports: &[("岗位类型", "骑手")],
    };
    let call = Products(&rail).transfer(&transfer).await.expect("sealed");
    let text = String::from_utf8_lossy(call.body()).into_owned();
    assert!(text.starts_with(r#"{"appid":"wx0123456789abcdef","out_bill_no":"t1","transfer_scene_id":"1005","openid":"o1","user_name":""#), "{text}");
    assert!(text.ends_with(
        r#"","transfer_amount":200000,"transfer_remark":"佣金","transfer_scene_report_infos":[{"info_type":"岗位类型","info_content":"骑手"}]}"#
    ));
    assert!(!text.contains("张三"));
    let again = Products(&rail).transfer(&transfer).await.expect("sealed");
    assert_ne!(again.body(), call.body(), "sealed again it is another");
    let again = again.sent_before(call.body().clone(), call.sealed_with().map(str::to_owned));
    for call in [&call, &again] {
        let report = rail.call(call).await.expect("a transfer");
        assert_eq!((report.state, report.package_info.as_deref()), (TransferState::WaitUserConfirm, Some("p")));
    }
    let asked = fake.asked();
    let field = format!("wechatpay-serial: {}", call.sealed_with().expect("a key"));
    assert!(asked.iter().all(|request| request.contains(&field)), "{asked:?}");
    assert_eq!(asked[0].split("\r\n\r\n").nth(1), asked[1].split("\r\n\r\n").nth(1));
    assert_eq!(sent(&Products(&rail).query_transfer("t1")), "GET /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/t1 ");
    assert_eq!(sent(&Products(&rail).query_transfer_by_id("13")), "GET /v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/13 ");
    assert_eq!(sent(&Products(&rail).cancel_transfer("t1")), "POST /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/t1/cancel {}");
}

#[tokio::test]
async fn profit_sharing_names_everybody_and_adds_a_partners_sub_merchant() {
    let rail = connector_with(&fresh_key(), None);
    let products = Products(&rail);
    let shop = Receiver { kind: ReceiverKind::Merchant, account: "1900000109", name: None };
    let sharing = Sharing {
        transaction_id: "4200",
        out_order_no: "P1",
        parts: &[Part { receiver: shop, amount: fen(30), description: "分给门店" }],
        unfreeze_rest: true,
    };
    assert_eq!(
        sent(&products.share(&sharing).await.expect("nothing to seal")),
        r#"POST /v3/profitsharing/orders {"appid":"wx0123456789abcdef","transaction_id":"4200","out_order_no":"P1","receivers":[{"type":"MERCHANT_ID","account":"1900000109","amount":30,"description":"分给门店"}],"unfreeze_unsplit":true}"#
    );
    let returning = Returning { out_order_no: "P1", out_return_no: "B1", return_mchid: "1900000109", amount: fen(5), description: "x" };
    assert_eq!(
        sent(&products.return_share(&returning)),
        r#"POST /v3/profitsharing/return-orders {"amount":5,"description":"x","out_order_no":"P1","out_return_no":"B1","return_mchid":"1900000109"}"#
    );
    assert_eq!(sent(&products.query_return("B1", "P1")), "GET /v3/profitsharing/return-orders/B1?out_order_no=P1 ");
    assert_eq!(sent(&products.unsplit("4200")), "GET /v3/profitsharing/transactions/4200/amounts ");
    let partner = connector_with(&fresh_key(), Some(SubMerchant { sub_mchid: "1900000109".to_owned(), sub_appid: None }));
    assert_eq!(sent(&Products(&partner).query_sharing("P1", "4200")), "GET /v3/profitsharing/orders/P1?transaction_id=4200&sub_mchid=1900000109 ");
    assert_eq!(
        sent(&Products(&partner).unfreeze("4200", "P2", "x")),
        r#"POST /v3/profitsharing/orders/unfreeze {"description":"x","out_order_no":"P2","sub_mchid":"1900000109","transaction_id":"4200"}"#
    );
    let new = NewReceiver { receiver: Receiver { name: Some("门店"), ..shop }, relation: "STORE", custom_relation: None };
    let added = Products(&partner).add_receiver(&new).await.expect("sealed");
    assert!(sent(&added).contains(r#"{"sub_mchid":"1900000109","appid":"wx0123456789abcdef","type":"MERCHANT_ID","account":"1900000109","name":""#));
    assert!(added.sealed_with().is_some() && !sent(&added).contains("门店"));
    assert_eq!(
        sent(&products.delete_receiver(ReceiverKind::Merchant, "1900000109")),
        r#"POST /v3/profitsharing/receivers/delete {"appid":"wx0123456789abcdef","type":"MERCHANT_ID","account":"1900000109"}"#
    );
    let answer = r#"{"transaction_id":"4200","out_order_no":"P1","order_id":"30","state":"FINISHED","receivers":[{"amount":30,"description":"x","type":"MERCHANT_ID","account":"1900000109","result":"CLOSED","fail_reason":"NO_RELATION","detail_id":"36"}]}"#;
    let report = (products.query_sharing("P1", "4200").read)(answer.as_bytes()).expect("reads");
    assert_eq!((report.state, &report.receivers[0].result), (SharingState::Finished, &PartResult::Closed), "finished is not arrived");
}

#[tokio::test]
async fn the_remaining_calls_go_where_they_belong() {
    let rail = connector_with(&fresh_key(), None);
    let products = Products(&rail);
    let number = OutTradeNo::new("fg1");
    let terms = Terms { amount: fen(100), description: "球鞋".to_owned(), method: PayMethod::WechatNative };
    let code = CodePayment { out_trade_no: &number, terms: &terms, auth_code: "130000000000000001", store_id: "S1" };
    assert_eq!(
        sent(&products.code_pay(&code)),
        r#"POST /v3/pay/transactions/codepay {"appid":"wx0123456789abcdef","mchid":"1900000001","description":"球鞋","out_trade_no":"fg1","payer":{"auth_code":"130000000000000001"},"amount":{"total":100,"currency":"CNY"},"scene_info":{"store_info":{"out_id":"S1"}}}"#
    );
    assert_eq!(
        sent(&products.reverse(&number)),
        r#"POST /v3/pay/transactions/out-trade-no/fg1/reverse {"appid":"wx0123456789abcdef","mchid":"1900000001"}"#
    );
    let charge = Charge { out_trade_no: &number, contract_id: "C1", amount: fen(100), description: "月费", notify_url: "https://shop.example/n" };
    assert_eq!(
        sent(&products.papay_charge(&charge)),
        r#"POST /v3/papay/pay/transactions/apply {"appid":"wx0123456789abcdef","out_trade_no":"fg1","description":"月费","transaction_notify_url":"https://shop.example/n","contract_id":"C1","amount":{"total":100,"currency":"CNY"}}"#
    );
    assert_eq!(sent(&products.papay_contract("12", "K/1")), "GET /v3/papay/sign/contracts/plan-id/12/out-contract-code/K%2F1 ");
    let card = RefundTo::PayersCard { bank_type: "ICBC_DEBIT", bank_account: "6222", real_name: "张三" };
    let abnormal = products.refund_to("5030", &OutRefundNo::new("r1"), card).await.expect("sealed");
    assert!(sent(&abnormal).starts_with(r#"POST /v3/refund/domestic/refunds/5030/apply-abnormal-refund {"out_refund_no":"r1","type":"USER_BANK_CARD","bank_type":"ICBC_DEBIT","bank_account":""#));
    let mine = products.refund_to("5030", &OutRefundNo::new("r1"), RefundTo::Merchant).await.expect("nothing to seal");
    assert_eq!(sent(&mine), r#"POST /v3/refund/domestic/refunds/5030/apply-abnormal-refund {"out_refund_no":"r1","type":"MERCHANT_BANK_CARD"}"#);
    let answer = br#"{"refund_id":"50","out_refund_no":"r1","transaction_id":"42","out_trade_no":"o1","status":"PROCESSING","amount":{"total":100,"refund":60,"currency":"CNY"}}"#;
    assert_eq!((mine.read)(answer).map(|refund| refund.status), Ok(RefundStatus::Processing));
    for (name, nature) in [
        (mine.operation.name, mine.operation.nature),
        ("code_pay", products.code_pay(&code).operation.nature),
        ("papay_charge", products.papay_charge(&charge).operation.nature),
        (
            "return",
            products
                .return_share(&Returning { out_order_no: "", out_return_no: "", return_mchid: "", amount: fen(1), description: "" })
                .operation
                .nature,
        ),
    ] {
        assert_eq!(nature, Nature::Money, "{name} moves money: it is asked about before it is sent again");
    }
}

#[test]
fn pay_score_begins_ends_and_is_taken_back() {
    let rail = connector_with(&fresh_key(), None);
    let products = Products(&rail);
    let order = ScoreOrder {
        out_order_no: "S1",
        service_id: "5001",
        introduction: "充电宝",
        start_time: "OnAccept",
        risk_name: "DEPOSIT",
        risk: fen(9_900),
        openid: None,
        need_user_confirm: true,
        notify_url: "https://shop.example/n",
    };
    assert_eq!(
        sent(&products.score_create(&order)),
        r#"POST /v3/payscore/serviceorder {"out_order_no":"S1","appid":"wx0123456789abcdef","service_id":"5001","service_introduction":"充电宝","time_range":{"start_time":"OnAccept"},"risk_fund":{"name":"DEPOSIT","amount":9900},"notify_url":"https://shop.example/n","need_user_confirm":true}"#
    );
    assert_eq!(sent(&products.score_query("5001", "S1")), "GET /v3/payscore/serviceorder?service_id=5001&appid=wx0123456789abcdef&out_order_no=S1 ");
    assert_eq!(
        sent(&products.score_cancel("5001", "S1", "x")),
        r#"POST /v3/payscore/serviceorder/S1/cancel {"appid":"wx0123456789abcdef","reason":"x","service_id":"5001"}"#
    );
    let collected = Collected {
        out_order_no: "S1",
        service_id: "5001",
        fees: &[ScoreFee { name: "租金", amount: fen(300) }],
        total: fen(300),
        end_time: "20260101100000",
    };
    assert_eq!(
        sent(&products.score_complete(&collected)),
        r#"POST /v3/payscore/serviceorder/S1/complete {"appid":"wx0123456789abcdef","service_id":"5001","post_payments":[{"name":"租金","amount":300}],"total_amount":300,"time_range":{"end_time":"20260101100000"}}"#
    );
    assert_eq!(products.score_complete(&collected).operation.nature, Nature::Money, "here the payer is charged");
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_advice() {
    let fake = Fake::serving(vec![
        Play::Signed(403, r#"{"code":"NOT_ENOUGH","message":"m"}"#.to_owned()),
        Play::HangUp,
        Play::Signed(200, r#"{"state":"ACCEPTED"}"#.to_owned()),
        Play::Signed(404, r#"{"code":"NOT_FOUND","message":"m"}"#.to_owned()),
    ])
    .await;
    let rail = fake.rail(|_| ());
    let call = Products(&rail).unfreeze("4200", "P1", "x");
    for advice in [Advice::Fund, Advice::AskFirst, Advice::AskFirst] {
        assert_eq!(rail.call(&call).await.expect_err("it went wrong").advice, advice);
    }
    assert!(rail.call(&Products(&rail).query_transfer("t1")).await.expect_err("none").is_not_found());
}

#[tokio::test]
async fn an_echo_comes_back_sealed_for_the_merchant() {
    let key = fresh_key();
    let rail = connector_with(&key, None);
    let call = Products(&rail).echo(&Echo { message: "hello", secret: Some("秘密"), notify_url: None }).await.expect("sealed");
    assert!(sent(&call).starts_with(r#"POST /v3/security/echo {"echo_message":"hello","encrypted_echo_message":""#) && call.sealed_with().is_some());
    use rcgen::PublicKeyData as _;
    let back = super::super::keys::PlatformKey::new(&key.subject_public_key_info()).expect("a key").seal("秘密").expect("sealed");
    let answer = serde_json::json!({"echo_message": "hello", "encrypted_echo_message": back}).to_string();
    let echoed = (call.read)(answer.as_bytes()).expect("reads");
    assert_eq!(rail.open_field(&echoed.secret.expect("a secret")), Ok("秘密".to_owned()));
    assert_eq!(rail.open_field(""), Ok(String::new()));
    assert_eq!(rail.open_field("AAAA").expect_err("not for us").advice, Advice::Never);
}

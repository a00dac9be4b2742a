//! Tests of bills: the vector, and what must not be believed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::fake::{Fake, Play};
use super::super::verify::tests::{text_of, vectors};
use super::*;
use crate::connectors::Advice;

fn vector() -> serde_json::Value {
    vectors("bill").remove(0)
}

fn link(hash_value: &str) -> Link {
    Link { hash_type: "SHA1".to_owned(), hash_value: hash_value.to_owned(), download_url: String::new() }
}

const DAY: Date = jiff::civil::date(2026, 1, 1);

#[test]
fn the_vector_is_believed_by_either_digest_and_read_to_the_fen() {
    let vector = vector();
    let packed = Bytes::from(STANDARD.decode(text_of(&vector, "gzip_base64")).expect("base64"));
    let text = text_of(&vector, "csv_utf8");
    for hash in ["sha1_plain", "sha1_gzip"] {
        assert_eq!(plain(&link(&text_of(&vector, hash)), &packed).as_ref(), Ok(&text));
    }
    assert_eq!(plain(&link(&text_of(&vector, "sha1_plain").to_uppercase()), &Bytes::from(text.clone())).as_ref(), Ok(&text));
    let bill = trade(&text).expect("reads");
    assert_eq!(bill.totals, TradeTotals { rows: 1, settlement_total_fen: 100, refund_fen: 0, fee_millifen: 1_000 });
    let row = &bill.rows[0];
    assert_eq!((row.out_trade_no.as_str(), row.transaction_id.as_str()), ("SBX20260101000000000001", "4200002026202601010000000001"));
    assert_eq!((row.settlement_total_fen, row.order_total_fen, row.fee_millifen, row.sub_mchid.as_deref()), (100, Some(100), 1_000, None));
    assert_eq!((row.description.as_str(), &row.refund), ("Image形象店", &None));
}

#[test]
fn a_refunds_row_says_what_went_back() {
    let text = text_of(&vector(), "csv_utf8");
    let lines: Vec<&str> = text.lines().collect();
    let refund = lines[1]
        .replace(
            "`SUCCESS,`OTHERS,`CNY,`1.00,`0.00,`0,`0,`0.00,`0.00,`,`",
            "`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030,`RF1,`0.30,`0.00,`ORIGINAL,`SUCCESS",
        )
        .replace("`0.01000,`0.60%,`1.00,`0.00", "`-0.00180,`0.60%,`0.00,`0.30");
    assert_ne!(refund, lines[1]);
    let whole = format!("{}\n{}\n{refund}\n{}\n`2,`1.00,`0.30,`0.00,`0.00820,`1.00,`0.30\n", lines[0], lines[1], lines[2]);
    let bill = trade(&whole).expect("reads");
    let expected = TradeRefund {
        refund_id: "5030".to_owned(),
        out_refund_no: "RF1".to_owned(),
        refund_fen: 30,
        requested_fen: Some(30),
        status: "SUCCESS".to_owned(),
    };
    assert_eq!((bill.rows[1].refund.as_ref(), bill.rows[1].fee_millifen, bill.totals.refund_fen), (Some(&expected), -180, 30));
    assert!(trade(&whole.replace("`2,`1.00,`0.30", "`2,`1.00,`0.31")).is_err_and(|why| why.contains("退款总金额")));
}

#[test]
fn a_fund_flow_bill_adds_up_in_both_directions() {
    let text = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\n\
        `2026-01-01 08:00:00,`4200,`F1,`交易,`交易,`收入,`1.00,`1.00,`api,`,`SBX1\n\
        `2026-01-01 08:00:00,`4200,`F2,`交易,`扣除交易手续费,`支出,`0.01,`0.99,`api,`,`SBX1\n\
        资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n`2,`1,`1.00,`1,`0.01\n";
    let bill = fund_flow(text).expect("reads");
    assert_eq!((bill.income_fen, bill.expense_fen, bill.rows[1].amount_fen, bill.rows[1].balance_fen), (100, 1, -1, 99));
    for (from, to) in [("`2,`1,`1.00,`1,`0.01", "`2,`1,`1.00,`1,`0.02"), ("`2,`1,`1.00", "`2,`2,`1.00"), ("`2,`1", "`3,`1"), ("`支出", "`转")] {
        assert!(fund_flow(&text.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn what_was_changed_or_never_ends_is_not_believed() {
    let good = text_of(&vector(), "sha1_plain");
    assert!(plain(&link(&good), &Bytes::from_static(b"another")).is_err_and(|why| why.contains("digest")));
    assert!(plain(&Link { hash_type: "MD5".to_owned(), ..link(&good) }, &Bytes::new()).is_err());
    assert!(plain(&link(&good), &Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0])).is_err_and(|why| why.contains("unpack")));
}

#[test]
fn our_signature_goes_to_the_rail_only() {
    let rail = super::super::tests::connector_with(&super::super::tests::fresh_key(), None);
    for good in ["https://api.mch.weixin.qq.com/v3/billdownload/file?token=a%2Bb", "https://api2.mch.weixin.qq.com/x", "http://127.0.0.1:9/x"] {
        assert!(rail.place(good).is_some(), "{good}");
    }
    assert_eq!(rail.place("http://127.0.0.1:9/v3/f?t=%2B").expect("ours"), ("http://127.0.0.1:9".to_owned(), "/v3/f?t=%2B".to_owned()));
    for bad in [
        "https://api.mch.weixin.qq.com.evil.example/x",
        "https://evil.example/.mch.weixin.qq.com",
        "http://api.mch.weixin.qq.com/x",
        "https://api.mch.weixin.qq.com:444/x",
        "https://user@api.mch.weixin.qq.com/x",
        "https://pay.mch.weixin.qq.com/x",
        "https://api.evil.mch.weixin.qq.com/x",
        "http://127.0.0.1:10/x",
        "/v3/x",
        "",
    ] {
        assert!(rail.place(bad).is_none(), "{bad}");
    }
}

#[tokio::test]
async fn a_bill_is_asked_for_fetched_and_read() {
    let vector = vector();
    let answer = |url: &str| format!(r#"{{"hash_type":"SHA1","hash_value":"{}","download_url":"{url}"}}"#, text_of(&vector, "sha1_plain"));
    let fake = Fake::serving(vec![
        Play::Signed(200, answer("{base}/v3/billdownload/file?token=x%2Fy")),
        Play::Bare(200, STANDARD.decode(text_of(&vector, "gzip_base64")).expect("base64")),
        Play::Signed(200, answer("https://evil.example/")),
        Play::Signed(400, r#"{"code":"NO_STATEMENT_EXIST","message":"m"}"#.to_owned()),
        Play::Signed(400, r#"{"code":"STATEMENT_CREATING","message":"m"}"#.to_owned()),
        Play::Signed(200, answer("{base}/v3/billdownload/file?token=old")),
        Play::Bare(403, br#"{"code":"NO_AUTH","message":"m"}"#.to_vec()),
    ])
    .await;
    let rail = fake.rail(|_| ());
    assert_eq!(rail.trade_bill(DAY, TradeBillKind::All).await.expect("a bill").rows.len(), 1);
    assert!(fake.asked()[0].starts_with("GET /v3/bill/tradebill?bill_date=2026-01-01&bill_type=ALL&tar_type=GZIP HTTP/1.1"));
    assert!(fake.asked()[1].starts_with("GET /v3/billdownload/file?token=x%2Fy HTTP/1.1") && fake.asked()[1].contains("authorization: WECHATPAY2"));
    assert!(matches!(rail.trade_bill(DAY, TradeBillKind::All).await, Err(BillError::NotBelieved(_))));
    assert_eq!(rail.trade_bill(DAY, TradeBillKind::Success).await, Err(BillError::None));
    assert_eq!(rail.fund_flow_bill(DAY, FundAccount::Basic).await, Err(BillError::NotYet));
    assert!(matches!(rail.trade_bill(DAY, TradeBillKind::Refund).await, Err(BillError::Failed(failed)) if failed.advice == Advice::Never));
}

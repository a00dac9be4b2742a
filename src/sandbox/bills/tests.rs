//! Bills against the published form, and against what must add up.

use super::*;

const VECTORS: &str = include_str!("../../../tests/vectors/vectors.json");

/// 2026-01-01T08:00:00 in Beijing.
const NOON: i64 = 1_767_225_600;

fn paid(total_fen: i64, out_trade_no: &str) -> Paid {
    Paid {
        at_seconds: NOON,
        appid: "wx0123456789abcdef".to_owned(),
        mchid: "1900000001".to_owned(),
        sub_mchid: String::new(),
        device_id: String::new(),
        transaction_id: "4200002026202601010000000001".to_owned(),
        out_trade_no: out_trade_no.to_owned(),
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        trade_type: "NATIVE".to_owned(),
        bank_type: "OTHERS".to_owned(),
        total_fen,
        description: "Image形象店".to_owned(),
        attach: String::new(),
    }
}

fn refund(of: &Paid, refund_fen: i64, before_fen: i64) -> Refunded {
    Refunded {
        of: of.clone(),
        asked_at_seconds: NOON + 86_400,
        succeeded_at_seconds: Some(NOON + 86_405),
        refund_id: "50300000002026010100000000001".to_owned(),
        out_refund_no: "R1".to_owned(),
        refund_fen,
        before_fen,
    }
}

#[test]
fn the_trade_bill_is_the_published_one_and_its_digest_is_of_the_text() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
    let vector = vectors["vectors"].as_array().expect("a list").iter().find(|one| one["id"] == "bill-all").expect("the vector").clone();
    let bill = trade(TradeBill::All, day_of(NOON), &[paid(100, "SBX20260101000000000001")], &[]).expect("a bill");
    let unmarked = bill.strip_prefix(MARK).expect("a byte order mark");
    assert_eq!(unmarked, vector["csv_utf8"].as_str().expect("text"));
    assert_eq!(sha1_hex(unmarked.as_bytes()), vector["sha1_plain"].as_str().expect("text"));
    let mut opened = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip(bill.as_bytes()).expect("compressed")[..]), &mut opened).expect("opens");
    assert_eq!(opened, bill);
}

#[test]
fn each_kind_has_its_rows_and_columns() {
    let payment = paid(26_000, "T1");
    let back = refund(&payment, 26_000, 0);
    for (kind, day, columns, rows) in [
        (TradeBill::All, NOON, 27, 1),
        (TradeBill::All, NOON + 86_400, 27, 1),
        (TradeBill::Success, NOON, 20, 1),
        (TradeBill::Refund, NOON + 86_400, 29, 1),
    ] {
        let bill = trade(kind, day_of(day), std::slice::from_ref(&payment), std::slice::from_ref(&back)).expect("a bill");
        let lines: Vec<&str> = bill.trim_start_matches(MARK).split_terminator("\r\n").collect();
        assert_eq!(lines.len(), rows + 3, "{bill}");
        assert_eq!((lines[0].split(',').count(), lines[1].split(",`").count()), (columns, columns), "{kind:?}");
        assert_eq!((lines[rows + 1].split(',').count(), lines[rows + 2].split(",`").count()), (7, 7));
    }
    let bill = trade(TradeBill::Refund, day_of(NOON + 86_400), &[], &[back]).expect("a bill");
    assert!(bill.contains("`2026-01-01 08:00:00,"), "the payment's own time: {bill}");
    assert!(bill.contains("`2026-01-02 08:00:00,`2026-01-02 08:00:05,`50300000002026010100000000001,`R1,`260.00,`0.00,`ORIGINAL,`SUCCESS,"));
    assert!(bill.contains(",`-1.56000,`0.60%,`0.00,`260.00,`\r\n"));
    assert!(bill.ends_with("`1,`0.00,`260.00,`0.00,`-1.56000,`0.00,`260.00\r\n"));
}

#[test]
fn a_day_without_anything_has_no_bill() {
    let payment = paid(100, "T1");
    assert_eq!(trade(TradeBill::Refund, day_of(NOON), std::slice::from_ref(&payment), &[]), None);
    assert_eq!(trade(TradeBill::All, day_of(NOON + 86_400), std::slice::from_ref(&payment), &[]), None);
    assert_eq!(fund_flow(day_of(NOON - 86_400), "19", &[payment], &[]), None);
}

#[test]
fn fees_come_back_whole_however_a_payment_is_split() {
    for total in [1, 83, 84, 100, 999, 12_345, 1_000_000_000] {
        let payment = paid(total, "T1");
        let (mut before, mut back) = (0, 0);
        while before < total {
            let fen = (total - before).min(total / 7 + 1);
            back += refund(&payment, fen, before).fee_fen();
            before += fen;
        }
        assert_eq!(back, payment.fee_fen(), "{total}");
    }
    assert_eq!((paid(83, "T").fee_fen(), paid(84, "T").fee_fen(), paid(26_000, "T").fee_fen()), (0, 1, 156));
}

#[test]
fn the_balance_runs_through_the_days() {
    let payment = paid(26_000, "T1");
    let back = refund(&payment, 13_000, 0);
    let first = fund_flow(day_of(NOON), "1900000001", std::slice::from_ref(&payment), std::slice::from_ref(&back)).expect("a bill");
    assert!(first.contains(",`交易,`交易,`收入,`260.00,`260.00,`1900000001API,`,`T1\r\n"), "{first}");
    assert!(first.contains(",`交易,`扣除交易手续费,`支出,`1.56,`258.44,"), "{first}");
    assert!(first.ends_with("`2,`1,`260.00,`1,`1.56\r\n"));
    let second = fund_flow(day_of(NOON + 86_400), "1900000001", &[payment], &[back]).expect("a bill");
    assert!(second.contains(",`退款,`退款,`支出,`129.22,`129.22,`1900000001API,`退款总金额130.00元;含手续费0.78元,`R1\r\n"), "{second}");
    assert!(second.ends_with("`1,`0,`0.00,`1,`129.22\r\n"));
}

#[test]
fn a_value_cannot_break_its_row() {
    let payment = Paid { description: "two\r\nlines, and `ticks`".to_owned(), ..paid(100, "T1") };
    let bill = trade(TradeBill::All, day_of(NOON), &[payment], &[]).expect("a bill");
    assert_eq!(bill.split_terminator("\r\n").count(), 4);
    assert!(bill.contains("`two  lines, and `ticks`,"));
}

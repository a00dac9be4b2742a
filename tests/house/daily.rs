//! `fengate reconcile`: the built binary compares the day's bill with the ledger, to the fen, while fengate goes on serving.

use std::process::{Command, Output};

use serde_json::json;

use super::giving_back::{about, paid};
use super::rig::{Rig, order, payment_in, routes_text};
use super::visitor;

/// Runs `fengate reconcile` beside the rig.
async fn reconcile(rig: &Rig, arguments: &[&str]) -> (i32, String) {
    let text = routes_text("").replacen("[sandbox]\nlisten = \"127.0.0.1:0\"", &format!("[sandbox]\nlisten = \"{}\"", rig.sandbox), 1);
    let path = rig.dir.join("routes.toml");
    std::fs::write(&path, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fengate"));
    command.arg("--config").arg(path).arg("reconcile").args(arguments);
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("ran");
    (status.code().expect("a code"), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[tokio::test]
async fn the_day_is_compared_to_the_fen() {
    let rig = Rig::start().await;
    let id = paid(&rig).await;
    rig.chat(&about(&id, "refund 29 yuan")).await;
    let payment = rig.until_state(&id, "partially_refunded").await;
    let today = payment.success_time.expect("a time")[..10].to_owned();
    let allowed = visitor::post(rig.sandbox, "/sandbox/bills", &[], json!({"same_day": true}).to_string()).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let (code, said) = reconcile(&rig, &["--date", &today]).await;
    assert_eq!(code, 0, "{said}");
    for part in ["they agree to the fen", "1 payments 129.00 CNY, 1 refunds 29.00 CNY"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // A payment whose notice is lost and which nobody could ask about: the bill has it as paid.
    rig.faults(json!({"callbacks": {"drop": 1_000}, "query": {"status_503": 1_000}})).await;
    let mut other = order("pay for the blue sneakers", 4_500);
    other["payment"]["order"]["id"] = "SO-2".into();
    let lost = payment_in(&rig.chat(&other).await);
    rig.phone(lost["next_action"]["code_url"].as_str().expect("a code")).await;
    let (code, said) = reconcile(&rig, &["--date", &today, "--merchant", "demo"]).await;
    assert_eq!(code, 1, "{said}");
    let line = said.lines().find(|line| line.contains("state differs")).unwrap_or_else(|| panic!("{said}"));
    for part in [lost["out_trade_no"].as_str().expect("a number"), "45.00", "awaiting_user", "SUCCESS"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(said.contains("1 differences: 1 state differs"), "{said}");
    assert_eq!(rig.payment(lost["id"].as_str().expect("an id")).await.state.name(), "awaiting_user", "it reads and changes nothing");
}

#[tokio::test]
async fn what_cannot_be_compared_says_why() {
    let rig = Rig::start().await;
    let (code, said) = reconcile(&rig, &["--date", "2026-01-01", "--merchant", "nobody"]).await;
    assert!(code == 2 && said.contains("no merchant `nobody`"), "{said}");
    let (code, said) = reconcile(&rig, &["--date", "yesterday"]).await;
    assert!(code == 2 && said.contains("--date"), "{said}");
    let (code, said) = reconcile(&rig, &["--date", "2999-01-01"]).await;
    assert!(code == 2 && said.contains("could not be fetched"), "{said}");
}

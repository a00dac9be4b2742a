//! Written ahead (M2): when an order arrives at the payment side its bytes already stand in the ledger, for anybody who opens the file.

use std::sync::{Arc, Mutex};

use super::rig::{Rig, order, payment_in, routes_text, streamed};
use super::upstream::{Act, Upstream};

/// The bytes of every order another connection reads out of the ledger's file right now.
fn recorded(ledger: &std::path::Path) -> Vec<String> {
    let connection = rusqlite::Connection::open_with_flags(ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opens");
    let mut statement = connection.prepare("SELECT CAST(order_body AS TEXT) FROM payment").expect("a table");
    let bodies = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    bodies.map(|body| body.expect("text")).collect()
}

/// Routes whose merchant `demo` has the sandbox's own keys, and its orders at `vendor`.
fn at_vendor(dir: &std::path::Path, vendor: std::net::SocketAddr) -> String {
    let account = std::fs::read_to_string(dir.join("sandbox/account.json")).expect("an account");
    let account: serde_json::Value = serde_json::from_str(&account).expect("JSON");
    let text = |name: &str| account[name].as_str().unwrap_or_else(|| panic!("{name}: {account}")).to_owned();
    std::fs::write(dir.join("merchant.pem"), text("private_key")).expect("written");
    std::fs::write(dir.join("apiv3.key"), text("apiv3_key")).expect("written");
    let fields = format!(
        "mchid = \"{}\"\nappid = \"{}\"\nserial = \"{}\"\nprivate_key = \"file:merchant.pem\"\napiv3_key = \"file:apiv3.key\"\nplatform = \"certificates\"\nbase_url = \"http://{vendor}\"\n",
        text("mchid"),
        text("appid"),
        text("serial")
    );
    routes_text("").replace("[merchant.wechatpay]\nsandbox = true\n", &format!("[merchant.wechatpay]\n{fields}"))
}

#[tokio::test]
async fn an_order_arrives_only_after_its_bytes_can_be_read_in_the_ledger() {
    let rig = Rig::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("sandbox")).expect("a folder");
    std::fs::copy(rig.dir.join("sandbox/account.json"), dir.path().join("sandbox/account.json")).expect("copied");
    let (ledger, seen) = (dir.path().join("ledger.db"), Arc::new(Mutex::new(Vec::new())));
    let (path, readings) = (ledger.clone(), Arc::clone(&seen));
    let vendor = Upstream::start(move |_| {
        readings.lock().expect("no panic").push(recorded(&path));
        vec![Act::Cut]
    })
    .await;
    let rig = Rig::in_dir(dir.path(), &at_vendor(dir.path(), vendor.address)).await;
    for n in 0..10 {
        let body = order(&format!("pay for the blue sneakers, {n}"), 12_900 + n);
        let body = if n % 2 == 0 { body } else { streamed(body) };
        let answer = rig.chat(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if n % 2 == 0 {
            assert_eq!(payment_in(&answer)["state"], "unknown");
        }
    }
    let requests = vendor.requests();
    let seen = seen.lock().expect("no panic").clone();
    let creates: Vec<(&str, &Vec<String>)> =
        requests.iter().zip(&seen).filter_map(|(request, seen)| Some((request.strip_prefix("POST ")?.split_once("\r\n\r\n")?.1, seen))).collect();
    assert!(creates.len() >= 10, "{requests:?}");
    for (body, seen) in creates {
        assert!(seen.iter().any(|recorded| recorded == body), "not in the ledger when it arrived: {body}\n{seen:?}");
    }
}

//! `fengate sandbox` as the built binary: started by somebody who has only an SDK.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::json;

use super::market::{Shop, file};
use super::visitor;

#[tokio::test]
async fn the_sandbox_runs_alone_says_where_it_is_and_ends_when_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out.txt");
    let mut child = Command::new(env!("CARGO_BIN_EXE_fengate"))
        .args(["sandbox", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir.path().join("keys"))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let address: SocketAddr = visitor::until("the sandbox to serve", || async {
        let text = std::fs::read_to_string(&out).unwrap_or_default();
        text.lines().find_map(|line| line.trim().strip_prefix("sandbox")?.trim().strip_prefix("http://")?.split_whitespace().next()?.parse().ok())
    })
    .await;
    let account = file(&dir.path().join("keys"), "account.json");
    let text = std::fs::read_to_string(&out).expect("a text");
    assert!(text.contains(account["mchid"].as_str().expect("a number")) && !text.contains(account["apiv3_key"].as_str().expect("a key")), "{text}");
    assert!(dir.path().join("keys/apiclient_cert.pem").exists());
    let shop = Shop::at(address, &account);
    let made = shop.post("/v3/pay/transactions/native", &shop.order("order-0001", 1, &json!({}))).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(visitor::post(address, "/phone/pay", &[], made.text()).await.json()["trade_state"], "SUCCESS");
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("told");
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(move || child.wait().expect("waited for"));
    assert!(tokio::time::timeout(visitor::PATIENCE, ended).await.expect("ends in time").expect("waited for").success());
}

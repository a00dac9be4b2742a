//! Every rule of `routes.toml` with its line.

use std::path::Path;

use super::*;

const SHIPPED: &str = include_str!("../../routes.toml");

fn lines(text: &str) -> Vec<(Option<usize>, String)> {
    match read(text, Path::new("/nowhere"), &|name| (name == "SET").then(|| "0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned())) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.into_iter().map(|fault| (fault.line, fault.what)).collect(),
    }
}

/// The one fault of the shipped file with `from` replaced by `to`, its line relative to the changed text.
fn fault_of(from: &str, to: &str) -> String {
    assert!(SHIPPED.contains(from), "{from}");
    let changed = SHIPPED.replacen(from, to, 1);
    let line = SHIPPED[..SHIPPED.find(from).expect("there")].matches('\n').count() + 1;
    let faults = lines(&changed);
    assert!(!faults.is_empty(), "`{to}` was taken");
    let close = faults.iter().find(|(at, _)| at.is_none_or(|at| (line..=line + to.matches('\n').count()).contains(&at)));
    close.unwrap_or_else(|| panic!("no fault near line {line}: {faults:?}")).1.clone()
}

#[test]
fn the_shipped_file_is_valid() {
    let routes = read(SHIPPED, Path::new("/etc/fengate"), &|_| None).expect("valid");
    assert_eq!(routes.ledger_url, "sqlite:/etc/fengate/fengate.db");
    assert_eq!((routes.server.connections_max, routes.server.connections_per_address_max), (4_096, 1_024));
    assert_eq!(routes.merchants[0].merchant.inference_per_second.get(), 100);
    assert!(routes.merchants[0].demo && routes.models[0].offer.len() == 4);
    assert_eq!(routes.functions[0].arguments.amount.as_deref(), Some("/total_fee"));
}

#[test]
fn the_readmes_examples_are_valid() {
    let readme = include_str!("../../README.md");
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["apiclient_key.pem", "pub_key.pem"] {
        std::fs::write(dir.path().join(name), "-----BEGIN\n").expect("written");
    }
    let examples: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 2);
    for example in examples {
        let env = |name: &str| (name == "WECHATPAY_APIV3_KEY").then(|| "0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned());
        // An example is a part of a file: only what has a line is a fault of its own.
        let faults = read(example, dir.path(), &env).err().map(|faults| faults.0).unwrap_or_default();
        assert!(faults.iter().all(|fault| fault.line.is_none()), "{example}\n{faults:?}");
    }
}

#[test]
fn a_model_server_without_a_key_may_speak_plain_http() {
    let text = SHIPPED.replacen("base_url = \"sandbox\"", "base_url = \"http://models.internal:8000/v1\"", 1);
    assert!(read(&text, Path::new("/etc/fengate"), &|_| None).is_ok());
}

#[test]
fn every_rule_names_its_line() {
    for (from, to, says) in [
        ("listen = \"127.0.0.1:8080\"", "listen = \"8080\"", "no address"),
        ("[server]", "[sever]\nx = 1\n[server]", "no table `sever`"),
        ("[server]", "[server]\nconnections_max = 10\nconnections_per_address_max = 11", "from 1 to 10"),
        ("[ledger]", "[ledger]\npath = \"x\"", "path"),
        ("url = \"sqlite:fengate.db\"", "url = \"mysql://x\"", "sqlite:PATH"),
        ("base_url = \"sandbox\"", "base_url = \"http://example.com/v1\"\nkey = \"env:UNSET\"", "in the clear"),
        ("base_url = \"sandbox\"", "base_url = \"nothing\"", "must be an address"),
        ("base_url = \"sandbox\"", "base_url = \"sandbox\"\nkey = \"sk-real-key\"", "not written here but named"),
        ("base_url = \"sandbox\"", "base_url = \"sandbox\"\nkey = \"env:UNSET\"", "UNSET is not set"),
        ("base_url = \"sandbox\"", "base_url = \"sandbox\"\ndialect = \"smalltalk\"", "dialect"),
        (
            "lanes = [{ provider = \"sandbox\", model = \"base\" }]",
            "lanes = [{ provider = \"nobody\", model = \"base\" }]",
            "no [[provider]] `nobody`",
        ),
        ("lanes = [{ provider = \"sandbox\", model = \"base\" }]", "lanes = [{ provider = \"sandbox\", model = \"base\", weight = 0 }]", "weight"),
        (
            "offer = [\"create_payment\", \"query_payment\", \"refund_payment\", \"close_payment\"]",
            "offer = [\"create_pament\"]",
            "no [[function]] `create_pament`",
        ),
        ("name = \"payment-guardian\"", "name = \"wechat-pay-base\"", "a second model"),
        ("name = \"create_payment\"             #", "name = \"create payment\"             #", "letters"),
        ("operation = \"pay\"", "operation = \"steal\"", "operation must be"),
        ("method = \"wechat_native\"", "method = \"cash\"", "method must be"),
        ("amount_unit = \"fen\"", "amount_unit = \"jiao\"", "amount_unit must be"),
        ("amount = \"/total_fee\"", "amount = \"total_fee\"", "JSON pointer"),
        ("amount = \"/total_fee\"", "payment = \"/x\", amount = \"/total_fee\"", "a pay function has no payment"),
        ("arguments = { payment = \"/payment\" }", "arguments = { amount = \"/x\" }", "a query function has no amount"),
        ("id = \"demo\"", "id = \"De mo\"", "small letters"),
        ("models = [\"*\"]", "models = [\"gpt\"]", "no [[model]] `gpt`"),
        ("inference_per_second = 100", "inference_per_second = 0", "1 or more"),
        ("inference_per_second = 100", "inference_per_second = \"many\"", "invalid type"),
        ("demo = true", "keys = [\"sk-plain\"]\ndemo = true", "sha256"),
        ("[merchant.wechatpay]\nsandbox = true", "[merchant.wechatpay]\nmchid = \"1\"", "lacks"),
        ("[sandbox]", "[sandbox]\ncallback_time_divisor = 0", "1 (WeChat"),
        ("[sandbox]", "[sandbox]\nplatform = \"x\"", "platform must be"),
    ] {
        let fault = fault_of(from, to);
        assert!(fault.contains(says), "{to}: {fault}");
        assert!(!fault.contains("sk-"), "a key shows: {fault}");
    }
}

#[test]
fn a_partner_and_its_sub_merchant_are_two() {
    for (table, says) in [
        ("mchid = \"1\"\nsub_mchid = \"1\"", "partner's own"),
        ("sub_appid = \"wx2\"", "needs a sub_mchid"),
        ("algorithm = \"md5\"", "algorithm must be"),
        ("backup_url = \"nothing\"", "must be an address"),
    ] {
        let said = lines(&SHIPPED.replacen("[merchant.wechatpay]\nsandbox = true", &format!("[merchant.wechatpay]\n{table}"), 1));
        assert!(said.iter().any(|(line, what)| line.is_some() && what.contains(says)), "{table}: {said:?}");
    }
}

#[test]
fn what_needs_a_sandbox_says_so() {
    let (before, rest) = SHIPPED.split_once("[sandbox]").expect("a sandbox");
    let without = format!("{before}#{}", rest.split_once("# ---").expect("more tables").1);
    let said: Vec<String> = lines(&without).into_iter().map(|(_, what)| what).collect();
    for needs in ["base_url = \"sandbox\"", "demo = true", "sandbox = true"] {
        assert!(said.iter().any(|what| what.contains(needs) && what.contains("[sandbox]")), "{needs}: {said:?}");
    }
}

#[test]
fn all_faults_come_at_once_in_their_order() {
    let changed = SHIPPED
        .replace("listen = \"127.0.0.1:8080\"", "listen = \"x\"")
        .replace("operation = \"pay\"", "operation = \"x\"\nunknown_key = 1")
        .replace("inference_per_second = 100", "inference_per_second = 0");
    let faults = lines(&changed);
    assert!(faults.len() >= 3, "{faults:?}");
    assert!(faults.is_sorted_by_key(|(line, _)| *line));
}

#[test]
fn broken_toml_names_its_line() {
    let faults = lines("[server]\nlisten = \n");
    assert_eq!(faults[0].0, Some(2), "{faults:?}");
}

#[test]
fn secrets_are_found_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("key.pem"), "PEM-TEXT\n").expect("written");
    let account = "mchid = \"1900000001\"\nappid = \"wx1\"\nserial = \"AA\"\nprivate_key = \"file:key.pem\"\napiv3_key = \"env:SET\"\nplatform = { id = \"PUB_KEY_ID_1\", file = \"key.pem\" }";
    let text = SHIPPED.replacen("sandbox = true", account, 1);
    let routes = read(&text, dir.path(), &|name| (name == "SET").then(|| "0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned())).expect("valid");
    let Some(WechatPayRoute::Account(keys)) = &routes.merchants[0].wechatpay else { panic!("no account") };
    assert_eq!(keys.private_key.expose(), "PEM-TEXT");
    let shown = format!("{routes:?}");
    assert!(!shown.contains("0123456789ABCDEF"), "{shown}");
    assert!(!format!("{:?}", keys.private_key).contains("PEM-TEXT"));
}

#[test]
fn a_key_belongs_to_one_merchant() {
    let line = new_key().expect("random numbers").1;
    let text = format!("{SHIPPED}\n[[merchant]]\nid = \"a\"\nkeys = [\"{line}\"]\n[[merchant]]\nid = \"b\"\nkeys = [\"{line}\"]\n");
    let faults = lines(&text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].1.contains("merchant `a` already"));
}

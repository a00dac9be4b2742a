//! Every rule of `routes.toml` with its line.

use std::path::Path;

use super::*;

const SHIPPED: &str = include_str!("../../routes.toml");

fn lines(text: &str) -> Vec<(Option<usize>, String)> {
    lines_in(Path::new("/nowhere"), text)
}

fn lines_in(dir: &Path, text: &str) -> Vec<(Option<usize>, String)> {
    let env = |name: &str| match name {
        "SET" => Some("0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned()),
        "BROKEN" => Some("sk-one\nsk-two".to_owned()),
        _ => None,
    };
    match read(text, dir, &env) {
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

/// A folder with an account's keys, and a file that is no key.
fn with_keys() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    std::fs::write(dir.path().join("apiclient_key.pem"), key.serialize_pem()).expect("written");
    std::fs::write(dir.path().join("pub_key.pem"), include_str!("../../tests/vectors/keys/wechatpay_pub_key.pem")).expect("written");
    std::fs::write(dir.path().join("rubbish.pem"), "-----BEGIN PUBLIC KEY-----\n").expect("written");
    dir
}

/// The shipped file with an account at WeChat Pay.
fn with_account() -> String {
    let account = "mchid = \"1900000001\"\nappid = \"wx1\"\nserial = \"AA\"\nprivate_key = \"file:apiclient_key.pem\"\napiv3_key = \"env:SET\"\nplatform = { id = \"PUB_KEY_ID_1\", file = \"pub_key.pem\" }";
    SHIPPED.replacen("sandbox = true", account, 1)
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
    let dir = with_keys();
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
        ("[server]", "[server]\nworkers = \"sk-secret\"", "invalid type: a text, expected u64"),
        ("admin = \"127.0.0.1:9090\"", "admin = \"127.0.0.1:8080\"", "two listeners"),
        ("admin = \"127.0.0.1:9090\"", "admin = \"0.0.0.0:8080\"", "two listeners"),
        ("url = \"sqlite:fengate.db\"", "url = \"sqlite::memory:\"", "a file on this machine"),
        ("url = \"sqlite:fengate.db\"", "url = \"sqlite:file:x?mode=memory\"", "a file on this machine"),
        ("url = \"sqlite:fengate.db\"", "url = \"sqlite://fengate.db\"", "a file on this machine"),
        ("base_url = \"sandbox\"", "base_url = \"sandbox\"\nkey = \"env:BROKEN\"", "env:BROKEN holds a line break"),
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
    let dir = with_keys();
    let text = with_account().replacen("[server]", "[server]\npublic_url = \"https://pay.example.com\"", 1);
    let routes = read(&text, dir.path(), &|name| (name == "SET").then(|| "0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned())).expect("valid");
    let Some(WechatPayRoute::Account(keys)) = &routes.merchants[0].wechatpay else { panic!("no account") };
    assert!(keys.private_key.expose().starts_with("-----BEGIN PRIVATE KEY-----\nMII"));
    let shown = format!("{routes:?}");
    assert!(!shown.contains("0123456789ABCDEF"), "{shown}");
    assert!(!format!("{:?}", keys.private_key).contains("MII"));
}

#[test]
fn a_key_belongs_to_one_merchant() {
    let line = new_key().expect("random numbers").1;
    let text = format!("{SHIPPED}\n[[merchant]]\nid = \"a\"\nkeys = [\"{line}\"]\n[[merchant]]\nid = \"b\"\nkeys = [\"{line}\"]\n");
    let faults = lines(&text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].1.contains("merchant `a` already"));
}

#[test]
fn the_demo_key_is_nobodys_key() {
    let hash = crate::ids::hex(&hash_key(DEMO_KEY));
    let faults = lines(&format!("{SHIPPED}\n[[merchant]]\nid = \"a\"\nkeys = [\"sha256:{hash}\"]\n"));
    assert!(faults.len() == 1 && faults[0].0.is_some() && faults[0].1.contains("everybody knows"), "{faults:?}");
}

#[test]
fn a_fault_of_a_tables_shape_hides_no_other() {
    let changed = SHIPPED
        .replacen("[server]\nlisten = \"127.0.0.1:8080\"", "[server]\nbody_bytes_max = \"4MB\"\nbogus = 3\nworkers = -1\nlisten = \"x\"", 1)
        .replacen("base_url = \"sandbox\"", "key = 7\ntimeouts = { connect_ms = \"1s\", idle = 3 }\ndialect = \"smalltalk\"", 1)
        .replacen("model = \"base\" }]", "weight = \"all\" }, { provider = \"nobody\", model = \"x\", wait = 1 }]", 1)
        .replacen("operation = \"pay\"\nmethod = \"wechat_native\"", "operaton = \"pay\"\nmethod = 3", 1)
        .replacen("demo = true", "demo = \"yes\"\nkeys = \"sk-plain\"", 1)
        .replacen("models = [\"*\"]", "models = [\"gpt\", 5]", 1)
        .replacen("sandbox = true", "sandbox = 1\nmchid = 1900000001", 1);
    let faults = lines(&changed);
    let said: Vec<&str> = faults.iter().map(|(_, what)| what.as_str()).collect();
    let expected = [
        "invalid type: a text, expected u64",
        "unknown field `bogus`",
        "invalid value: integer `-1`",
        "`x` is no address",
        "missing field `base_url`",
        "invalid type: integer `7`",
        "invalid type: a text, expected u64",
        "unknown field `idle`",
        "dialect must be",
        "missing field `model`",
        "invalid type: a text, expected u32",
        "no [[provider]] `nobody`",
        "unknown field `wait`",
        "missing field `operation`",
        "unknown field `operaton`",
        "invalid type: integer `3`",
        "invalid type: a text, expected a boolean",
        "invalid type: a text, expected a sequence",
        "no [[model]] `gpt`",
        "invalid type: integer `5`",
        "invalid type: integer `1`",
        "invalid type: integer `1900000001`",
    ];
    for what in expected {
        assert!(said.iter().any(|said| said.contains(what)), "{what} is not in {said:#?}");
    }
    let rest: Vec<&&str> = said.iter().filter(|said| !expected.iter().any(|what| said.contains(what))).collect();
    assert!(rest.is_empty(), "what was only misspelt is not lacking: {rest:#?}");
    assert!(faults.iter().all(|(line, what)| line.is_some() && !what.contains("sk-plain")), "{faults:?}");
}

#[test]
fn a_key_that_cannot_be_read_names_its_line_and_its_file() {
    let dir = with_keys();
    let text = with_account().replacen("[server]", "[server]\npublic_url = \"https://pay.example.com\"", 1);
    assert_eq!(lines_in(dir.path(), &text), [], "valid");
    for (from, to) in [
        ("file:apiclient_key.pem", "file:rubbish.pem"),
        ("file = \"pub_key.pem\"", "file = \"rubbish.pem\""),
        ("file:apiclient_key.pem", "file:pub_key.pem"),
    ] {
        let line = text[..text.find(from).expect("there")].matches('\n').count() + 1;
        let faults = lines_in(dir.path(), &text.replacen(from, to, 1));
        let named = to.trim_start_matches("file = ").trim_start_matches("file:").trim_matches('"');
        assert!(faults.len() == 1 && faults[0].0 == Some(line) && faults[0].1.contains(named), "{to}: {faults:?}");
    }
}

#[test]
fn the_keys_of_a_guomi_account_are_not_rsa() {
    let dir = with_keys();
    let sm2 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    std::fs::write(dir.path().join("apiclient_key.pem"), sm2.serialize_pem()).expect("written");
    std::fs::write(dir.path().join("pub_key.pem"), sm2.public_key_pem()).expect("written");
    let text = with_account().replacen("[server]", "[server]\npublic_url = \"https://pay.example.com\"", 1);
    assert_eq!(lines_in(dir.path(), &text).len(), 2);
    let text = text.replacen("mchid", "algorithm = \"sm2\"\nmchid", 1);
    assert_eq!(lines_in(dir.path(), &text), []);
    assert_eq!(lines_in(dir.path(), &text.replace("pub_key.pem", "rubbish.pem")).len(), 1);
}

#[test]
fn a_real_account_needs_an_address_for_its_notices() {
    let dir = with_keys();
    let text = with_account();
    let faults = lines_in(dir.path(), &text);
    assert!(faults.len() == 1 && faults[0].1.contains("lacks public_url"), "{faults:?}");
    let clear = lines_in(dir.path(), &text.replacen("[server]", "[server]\npublic_url = \"http://pay.example.com\"", 1));
    assert!(clear.len() == 1 && clear[0].0.is_some() && clear[0].1.contains("https only"), "{clear:?}");
    let unreadable = lines_in(dir.path(), &text.replacen("[server]", "[server]\npublic_url = 7", 1));
    assert!(unreadable.len() == 1 && unreadable[0].1.contains("invalid type"), "{unreadable:?}");
    let here = text.replacen("mchid", "base_url = \"http://127.0.0.1:1\"\nmchid", 1);
    assert_eq!(lines_in(dir.path(), &here), [], "an imitation on this machine finds us");
}

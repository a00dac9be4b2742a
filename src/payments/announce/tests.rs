//! Deliveries against a real ledger and a shop that first refuses: again on the schedule, also after a restart, until they are taken.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::UnixMs;
use crate::connectors::Connector;
use crate::connectors::herald::PlatformKey;
use crate::connectors::wechatpay::{Config, Platform};
use crate::dial::Dial;
use crate::ids::{Fingerprint, MerchantId, OutTradeNo, RequestId};
use crate::ledger::{Cause, OrderBody};
use crate::merchant::{Algorithm, WechatPayAccount};
use crate::money::Money;
use crate::payment::record::{Identity, NewPayment};
use crate::payment::state::Event;
use crate::payment::terms::{AmountSource, DecidedBy, Method, Terms};
use crate::payments::execute::Rail;

/// A shop that answers with these statuses in turn and keeps what it heard.
async fn shop(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/notify", listener.local_addr().expect("an address"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&heard);
    crate::tasks::Tasks::new().background(async move {
        for status in statuses {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut bytes = vec![0; 16 * 1024];
            let count = socket.read(&mut bytes).await.expect("a request");
            keeps.lock().expect("not poisoned").push(String::from_utf8_lossy(&bytes[..count]).into_owned());
            let _ = socket.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await;
        }
    });
    (url, heard)
}

fn announce(dir: &Path, clock: &Clock) -> Announce {
    let metrics = Metrics::new().expect("metrics");
    let ledger = Ledger::open(&format!("sqlite:{}", dir.join("ledger.db").display()), clock.clone(), metrics.clone()).expect("opens");
    let dial = Dial::new(Duration::from_secs(1)).expect("a client");
    let config = Config {
        account: WechatPayAccount { mchid: "1900000001".to_owned(), appid: "wx0123456789abcdef".to_owned() },
        sub_merchant: None,
        serial: "01".to_owned(),
        private_key_pem: rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key").serialize_pem(),
        apiv3_key: "0123456789ABCDEFGHIJKLMNOPQRSTUV".to_owned(),
        algorithm: Algorithm::Rsa,
        platform: Platform::Certificates,
        base_url: "http://127.0.0.1:9".parse().expect("an address"),
        backup_url: None,
    };
    let connector = Connector::wechatpay(config, dial.clone(), clock.clone(), metrics.clone()).expect("a connector");
    let rails = Arc::new(HashMap::from([(MerchantId::new("demo"), Rail { connector, notify_url: String::new() })]));
    let key = PlatformKey::open(&dir.join("platform.pem"), clock).expect("a key");
    let herald = Arc::new(Herald { key, dial, clock: clock.clone() });
    Announce { ledger, rails, herald, clock: clock.clone(), metrics }
}

async fn paid_order(announce: &Announce, notify_url: &str) -> PaymentId {
    let body: OrderBody = Box::new(|_, _| b"{}".to_vec());
    let new = NewPayment {
        merchant: MerchantId::new("demo"),
        identity: Identity::Numbered(OutTradeNo::new("SO-0001")),
        fingerprint: Fingerprint::of(&[b"x"]),
        request_id: RequestId::random(),
        terms: Terms { amount: Money::fen(1).expect("an amount"), description: "x".to_owned(), method: Method::WechatNative },
        amount_source: AmountSource::MerchantOrder,
        decided_by: DecidedBy::Classic,
        model_version: None,
        order_id: None,
    };
    let opened = announce.ledger.open_payment_telling(new, body, notify_url.to_owned()).await.expect("recorded");
    let (crate::ledger::Opened::New(payment) | crate::ledger::Opened::Existing(payment)) = opened;
    let paid = Event::Paid { transaction_id: "42".to_owned(), success_time: String::new(), evidence: b"{}".to_vec() };
    announce.ledger.apply(&payment.id, paid, Cause::of("notice")).await.expect("applies");
    payment.id
}

async fn until_delivered(announce: &Announce, id: &PaymentId, deliveries: u32) -> PassedNotice {
    let by = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let notice = announce.ledger.notices_of(id).await.expect("reads").remove(0);
        if notice.deliveries == deliveries {
            return notice;
        }
        assert!(tokio::time::Instant::now() < by, "waited in vain: {notice:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_notice_is_delivered_again_after_a_restart_until_it_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::standing_at(UnixMs(1_790_000_000_000));
    let (url, heard) = shop(&[500, 302, 204]).await;
    let first = announce(dir.path(), &clock);
    let id = paid_order(&first, &url).await;
    let tasks = crate::tasks::Tasks::new();
    tasks.background(first.clone().run());
    let refused = until_delivered(&first, &id, 1).await;
    assert_eq!((refused.answered, refused.next), (Some(500), Some(clock.now().plus_ms(15_000))));
    tasks.stop();
    first.ledger.close().await.expect("closes");
    drop(first);

    clock.advance_ms(15_000);
    let second = announce(dir.path(), &clock);
    let tasks = crate::tasks::Tasks::new();
    tasks.background(second.clone().run());
    assert_eq!(until_delivered(&second, &id, 2).await.answered, Some(302), "a redirection is no acceptance");
    clock.advance_ms(15_000);
    let taken = until_delivered(&second, &id, 3).await;
    assert_eq!((taken.answered, taken.next), (Some(204), None));
    tasks.stop();
    let heard = heard.lock().expect("not poisoned");
    let named = |request: &String| request.split("\"id\":\"").nth(1).map(|rest| rest[..36].to_owned());
    assert!(heard.len() == 3 && heard.iter().all(|request| named(request) == Some(taken.notice_id.clone())), "one name for all deliveries");
    let signed = |request: &String| request.lines().find(|line| line.starts_with("wechatpay-signature: ")).map(str::to_owned);
    assert!(signed(&heard[0]).is_some() && signed(&heard[0]) != signed(&heard[1]), "signed anew each time");
}

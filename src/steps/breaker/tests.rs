//! The breaker: opens after failures in a row, whole or streamed, tries with one call, and takes no word of an earlier period.

use std::num::NonZeroU32;

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;

use super::*;
use crate::chat::call::{Path, Stopwatch};
use crate::chat::reply::{Chunk, StreamReply};
use crate::chat::request::{Added, ChatRequest, ToolChoice};
use crate::ids::{MerchantId, RequestId};
use crate::merchant::{Merchant, ModelGrant};

const DOWN: Verdict = Verdict::Failed(None);

fn breaker() -> Breaker {
    Breaker::new("m", "p", Metrics::new().expect("metrics"))
}

fn refusal(kind: Kind) -> Refusal {
    Refusal::new(kind, "x", "y")
}

fn call() -> ChatCall {
    let request = ChatRequest {
        body: Bytes::from_static(b"{}"),
        headers: Arc::new(HeaderMap::new()),
        model: "m".to_owned(),
        stream: true,
        usage_asked: false,
        tools: Vec::new(),
        tool_choice: ToolChoice::Auto,
        choices: 1,
        added: Added::default(),
    };
    ChatCall {
        request_id: RequestId::new("req_1"),
        merchant: Arc::new(Merchant { id: MerchantId::new("m"), models: ModelGrant::All, inference_per_second: NonZeroU32::MIN, wechatpay: None }),
        request,
        payment: None,
        path: Path::Model,
        deadline: Instant::now() + Duration::from_secs(600),
        stopwatch: Arc::new(Stopwatch::default()),
    }
}

/// A lane that streams what `events` makes.
fn streams(events: impl Fn() -> Vec<Result<ChatEvent, Refusal>> + Send + Sync + 'static) -> Next {
    Next::new(move |_| {
        let events = Box::pin(futures_util::stream::iter(events()));
        async move { Ok(ChatReply::Stream(StreamReply { headers: HeaderMap::new(), events })) }
    })
}

/// Asks and reads the stream to its end; how many events came, or why nobody was asked.
async fn heard(breaker: &Breaker, lane: &Next) -> Result<usize, Kind> {
    match breaker.call(call(), lane).await {
        Ok(ChatReply::Stream(stream)) => Ok(stream.events.count().await),
        Ok(ChatReply::Whole(_)) => Ok(0),
        Err(refusal) => Err(refusal.kind),
    }
}

#[tokio::test(start_paused = true)]
async fn opens_after_failures_in_a_row_and_tries_once_after_the_pause() {
    let breaker = breaker().0;
    for _ in 0..FAILURES {
        let pass = breaker.enter().expect("closed");
        breaker.judge(pass, DOWN);
    }
    assert!(breaker.enter().is_err(), "open");
    tokio::time::advance(PAUSE).await;
    let pass = breaker.enter().expect("one may try");
    assert!(breaker.enter().is_err(), "and only one");
    breaker.judge(pass, DOWN);
    tokio::time::advance(PAUSE).await;
    assert!(breaker.enter().is_err(), "the second pause is longer");
    tokio::time::advance(PAUSE).await;
    let pass = breaker.enter().expect("the second try");
    breaker.judge(pass, Verdict::Well);
    assert!(breaker.enter().is_ok() && breaker.enter().is_ok(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_fails_together_opens_it_for_one_pause() {
    let breaker = breaker();
    let slow_and_down = Next::new(|_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(refusal(Kind::ProviderFailed))
    });
    let burst = futures_util::future::join_all((0..40).map(|_| breaker.call(call(), &slow_and_down))).await;
    assert!(burst.iter().all(|reply| reply.as_ref().is_err_and(|refusal| refusal.kind == Kind::ProviderFailed)), "all were under way");
    assert!(breaker.0.enter().is_err(), "open");
    tokio::time::advance(PAUSE).await;
    assert!(breaker.0.enter().is_ok(), "40 failures of one moment are one reason for one pause");
}

#[tokio::test(start_paused = true)]
async fn a_straggler_says_nothing_about_a_later_period() {
    let breaker = breaker().0;
    let straggler = breaker.enter().expect("closed");
    for _ in 0..FAILURES {
        let pass = breaker.enter().expect("closed");
        breaker.judge(pass, DOWN);
    }
    breaker.judge(straggler, Verdict::Well);
    assert!(breaker.enter().is_err(), "an old success does not close it");
    tokio::time::advance(PAUSE).await;
    let forgotten = breaker.enter().expect("the first try");
    tokio::time::advance(PAUSE).await;
    let second = breaker.enter().expect("the first try was not heard of");
    breaker.judge(forgotten, DOWN);
    breaker.judge(straggler, DOWN);
    breaker.judge(second, Verdict::Well);
    assert!(breaker.enter().is_ok(), "the second try decides");
    for _ in 0..FAILURES {
        breaker.judge(straggler, DOWN);
    }
    assert!(breaker.enter().is_ok(), "old failures do not open it");
}

#[tokio::test(start_paused = true)]
async fn a_callers_fault_and_a_success_between_never_open_it() {
    let breaker = breaker().0;
    for n in 0..100 {
        let verdict = match n % 4 {
            0 => Verdict::Well,
            1 => Verdict::of(&refusal(Kind::ProviderRejected { status: 400 })),
            _ => Verdict::of(&refusal(Kind::ProviderUnreachable)),
        };
        let pass = breaker.enter().unwrap_or_else(|_| panic!("call {n}"));
        breaker.judge(pass, verdict);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_provider_gets_the_wait_it_asked_for() {
    let breaker = breaker().0;
    let pass = breaker.enter().expect("closed");
    breaker.judge(pass, Verdict::of(&refusal(Kind::ProviderBusy { retry_after: Some(Duration::from_secs(9)) })));
    tokio::time::advance(Duration::from_millis(8_999)).await;
    assert!(breaker.enter().is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(breaker.enter().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_says_200_and_breaks_its_streams_is_left_alone() {
    for spoken in [0, 1] {
        let breaker = breaker();
        let breaking = streams(move || {
            let chunks = (0..spoken).map(|_| Ok(ChatEvent::Chunk(Chunk::default())));
            [Ok(ChatEvent::Opaque(Bytes::from_static(b": x\n\n")))]
                .into_iter()
                .chain(chunks)
                .chain([Err(refusal(Kind::ProviderUnreachable))])
                .collect()
        });
        for n in 0..FAILURES {
            assert_eq!(heard(&breaker, &breaking).await, Ok(spoken + 2), "call {n}");
        }
        assert_eq!(heard(&breaker, &breaking).await, Err(Kind::NoLane), "{spoken} chunks before the break");
        tokio::time::advance(PAUSE).await;
        assert_eq!(heard(&breaker, &breaking).await, Ok(spoken + 2), "the try");
        assert_eq!(heard(&breaker, &breaking).await, Err(Kind::NoLane), "which failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_a_success_and_one_that_begins_lets_others_in() {
    let breaker = breaker();
    let whole = streams(|| vec![Ok(ChatEvent::Chunk(Chunk::default())), Ok(ChatEvent::Done)]);
    let cut = streams(|| vec![Ok(ChatEvent::Chunk(Chunk::default()))]);
    for _ in 0..3 {
        for _ in 0..FAILURES - 1 {
            assert!(heard(&breaker, &cut).await.is_ok());
        }
        assert!(heard(&breaker, &whole).await.is_ok(), "between failures");
    }
    for _ in 0..FAILURES {
        assert!(heard(&breaker, &cut).await.is_ok());
    }
    tokio::time::advance(PAUSE).await;
    let Ok(ChatReply::Stream(mut trying)) = breaker.call(call(), &whole).await else { panic!("a stream") };
    assert!(breaker.0.enter().is_err(), "nothing is known yet");
    trying.events.next().await;
    assert!(breaker.0.enter().is_ok(), "it speaks: the others need not wait for its end");
}

//! What comes out of the house is read by a strict reader: the types of a public OpenAI client.

use async_openai::types::chat::{CreateChatCompletionResponse, CreateChatCompletionStreamResponse};

use super::rig::{Rig, ask, order, streamed};
use super::visitor::events;

#[tokio::test]
async fn a_strict_reader_takes_every_answer() {
    let rig = Rig::start().await;
    let twice = order("pay for the blue sneakers", 12_900);
    for body in [ask("hello"), twice.clone(), twice, order("go on, pay [fail-after 500]", 5), order("pay for it [truncate]", 5)] {
        let answer = rig.chat(&body).await;
        let read: CreateChatCompletionResponse = serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()));
        assert!(read.choices[0].message.content.as_ref().is_some_and(|text| !text.is_empty()));
        let mut body = streamed(body);
        body["stream_options"] = serde_json::json!({"include_usage": true});
        let stream = rig.chat(&body).await.text();
        let events = events(&stream);
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"), "{stream}");
        for event in &events[..events.len() - 1] {
            let chunk: CreateChatCompletionStreamResponse = serde_json::from_str(event).unwrap_or_else(|e| panic!("{e}: {event}"));
            assert_eq!(chunk.object, "chat.completion.chunk");
        }
    }
}

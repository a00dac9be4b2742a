//! The model, asked in every way fengate's tests rely on.

use http_body_util::BodyExt;

use super::*;
use crate::clock::UnixMs;

fn clock() -> Clock {
    Clock::standing_at(UnixMs(1_790_000_000_000))
}

fn tools() -> Value {
    json!([
        {"type": "function", "function": {"name": "create_payment", "parameters": {"type": "object", "properties": {"total_fee": {"type": "integer"}, "body": {"type": "string"}, "order_id": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "query_payment", "parameters": {"type": "object", "properties": {"payment": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "refund_payment", "parameters": {"type": "object", "properties": {"payment": {"type": "string"}, "amount": {"type": "integer"}, "reason": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "close_payment", "parameters": {"type": "object", "properties": {"payment": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}},
    ])
}

async fn ask(text: &str) -> Value {
    let body = json!({"model": "base", "messages": [{"role": "user", "content": text}], "tools": tools()});
    let response = answer(Bytes::from(body.to_string()), &clock()).await;
    serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON")
}

fn call(answer: &Value) -> Option<(String, Value)> {
    let function = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    Some((function["name"].as_str()?.to_owned(), serde_json::from_str(function["arguments"].as_str()?).ok()?))
}

#[tokio::test]
async fn a_plain_request_to_pay_becomes_a_call() {
    for (text, fen, what) in [
        ("pay 129 yuan for the blue sneakers", 12_900, Some("blue sneakers")),
        ("帮我支付¥39.9", 3_990, None),
        ("12块5，微信付", 1_250, None),
        ("付一百二十元", 12_000, None),
        ("RMB 1,680 please, buy it", 168_000, None),
    ] {
        let (name, arguments) = call(&ask(text).await).unwrap_or_else(|| panic!("no call: {text}"));
        assert_eq!((name.as_str(), arguments["total_fee"].as_i64()), ("create_payment", Some(fen)), "{text}");
        assert_eq!(arguments["body"].as_str().filter(|_| what.is_some()), what, "{text}");
    }
}

#[tokio::test]
async fn what_is_bought_and_for_how_much_is_read_as_people_say_it() {
    for (text, fen, what) in [
        ("purchase tea for 3.30 yuan", 330, "tea"),
        ("付三十块钱买茶", 3_000, "茶"),
        ("买一杯三十元的咖啡", 3_000, "咖啡"),
        ("支付一百二十元五角给花店", 12_050, "花店"),
        ("付三十五块五买茶", 3_550, "茶"),
        ("order tea, 3.30 yuan", 330, "tea"),
        ("12块5，微信付奶茶", 1_250, "奶茶"),
    ] {
        let (_, arguments) = call(&ask(text).await).unwrap_or_else(|| panic!("no call: {text}"));
        assert_eq!((arguments["total_fee"].as_i64(), arguments["body"].as_str()), (Some(fen), Some(what)), "{text}");
    }
}

#[tokio::test]
async fn an_amount_that_was_asked_for_and_an_own_tool_in_yuan() {
    let tool = json!([{"type": "function", "function": {"name": "checkout", "parameters": {"type": "object", "properties": {"amount_yuan": {"type": "string"}, "what": {"type": "string"}}}}}]);
    let mut messages = vec![json!({"role": "user", "content": "buy tea please"})];
    let mut last = Value::Null;
    for more in [None, Some("30.5 yuan")] {
        messages.extend(more.map(|text| json!({"role": "user", "content": text})));
        let body = json!({"model": "base", "messages": messages, "tools": tool});
        let response = answer(Bytes::from(body.to_string()), &clock()).await;
        last = serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON");
        messages.push(last["choices"][0]["message"].clone());
    }
    assert_eq!(call(&last).expect("a call").1, json!({"amount_yuan": "30.50", "what": "tea"}));
}

#[tokio::test]
async fn doubt_talks_and_calls_nothing() {
    for text in ["hello", "don't pay 5 yuan", "should I buy it for 5 yuan?", "不要付5元", "pay for the blue sneakers"] {
        let answer = ask(text).await;
        assert!(call(&answer).is_none(), "{text}");
        assert!(answer["choices"][0]["message"]["content"].as_str().is_some_and(|said| !said.is_empty()));
    }
    assert_eq!(call(&ask("did it go through, pay_0123456789abcdef?").await).expect("a call").1["payment"], "pay_0123456789abcdef");
    for text in ["query payment pay_0123456789abcdef", "查询 pay_0123456789abcdef"] {
        assert_eq!(call(&ask(text).await).expect("a call").0, "query_payment", "{text}");
    }
    assert_eq!(call(&ask("how is the weather").await).expect("a call").0, "get_weather");
}

#[tokio::test]
async fn money_back_and_calling_off_become_calls() {
    let id = "pay_0123456789abcdef";
    for (text, arguments) in [
        (format!("refund {id}"), json!({"payment": id})),
        (format!("{id}退款"), json!({"payment": id})),
        (format!("they do not fit, refund {id}"), json!({"payment": id})),
        (format!("refund 10 yuan of {id} because they are too small."), json!({"payment": id, "amount": 1_000, "reason": "they are too small"})),
        ("refund the sneakers".to_owned(), json!({})),
    ] {
        assert_eq!(call(&ask(&text).await), Some(("refund_payment".to_owned(), arguments)), "{text}");
    }
    for text in ["cancel the order", "取消订单"] {
        assert_eq!(call(&ask(text).await), Some(("close_payment".to_owned(), json!({}))), "{text}");
    }
    for text in ["don't refund it", "不要退款", "what is your refund policy", "能退款吗", "don't cancel it"] {
        assert!(call(&ask(text).await).is_none(), "{text}");
    }
}

#[tokio::test]
async fn the_order_in_the_system_message_is_what_is_paid() {
    let system = r#"The merchant's order: {"order":{"id":"SO-1","description":"blue sneakers","amount_fen":12900,"currency":"CNY"}}"#;
    let body = json!({"model": "guardian", "messages": [{"role": "system", "content": system}, {"role": "user", "content": "pay for it"}], "tools": tools()});
    let response = answer(Bytes::from(body.to_string()), &clock()).await;
    let json: Value = serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes()).expect("JSON");
    assert_eq!(call(&json).expect("a call").1, json!({"total_fee": 12_900, "body": "blue sneakers", "order_id": "SO-1"}));
}

#[tokio::test]
async fn directives_do_what_they_say() {
    let raw = ask("[call create_payment {\"total_fee\": [1}] [call get_weather {}]").await;
    let calls = &raw["choices"][0]["message"]["tool_calls"];
    assert_eq!(
        (calls[0]["function"]["arguments"].as_str(), calls[1]["function"]["name"].as_str()),
        (Some("{\"total_fee\": [1}"), Some("get_weather"))
    );
    assert_eq!(ask("[say exactly this]").await["choices"][0]["message"]["content"], "exactly this");
    assert_eq!(ask("pay 5 yuan [truncate]").await["choices"][0]["finish_reason"], "length");
    assert_eq!(ask("[fail 429]").await["error"]["code"], "asked_to_fail");
}

#[tokio::test]
async fn a_stream_says_the_same_and_can_be_cut() {
    for (text, done) in [("hello", true), ("hello [cut]", false)] {
        let body =
            json!({"model": "base", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": text}]});
        let response = answer(Bytes::from(body.to_string()), &clock()).await;
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let stream = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        assert_eq!(stream.ends_with("data: [DONE]\n\n"), done, "{stream}");
        assert_eq!(stream.contains("total_tokens"), done);
    }
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    for (body, status) in [("{", 400), ("{}", 400), (r#"{"model":"gpt","messages":[{"role":"user","content":"x"}]}"#, 404)] {
        assert_eq!(answer(Bytes::from(body), &clock()).await.status().as_u16(), status, "{body}");
    }
}

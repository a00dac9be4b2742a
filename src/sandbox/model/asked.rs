//! What the model was asked, as far as it looks: messages, tools, and the directives for tests.

use serde_json::Value;

/// Longest wait before a chunk, in milliseconds.
const SLOW_MS_MAX: u64 = 2_000;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) messages: Vec<Value>,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: Value,
    pub(super) directives: Directives,
}

/// A tool of the request.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// The properties of its JSON schema.
    pub(super) properties: serde_json::Map<String, Value>,
}

/// What the user asked this model to do to the test's subject.
#[derive(Debug, Default)]
pub(super) struct Directives {
    pub(super) calls: Vec<(String, String)>,
    pub(super) say: Option<String>,
    pub(super) truncate: bool,
    pub(super) cut: bool,
    pub(super) repeat: bool,
    pub(super) slow_ms: Option<u64>,
    fail: Option<u16>,
    fail_after: Option<u16>,
}

impl Directives {
    fn read(text: &str) -> Self {
        let mut directives = Self::default();
        let mut rest = text;
        while let Some(start) = rest.find('[') {
            let Some(inner) = rest.get(start + 1..) else { break };
            let end = bracket_end(inner);
            let directive = inner.get(..end).unwrap_or_default();
            rest = inner.get(end..).unwrap_or_default();
            let (word, argument) = directive.split_once(' ').unwrap_or((directive, ""));
            match word {
                "call" => {
                    let (name, arguments) = argument.split_once(' ').unwrap_or((argument, "{}"));
                    directives.calls.push((name.to_owned(), arguments.to_owned()));
                }
                "say" => directives.say = Some(argument.to_owned()),
                "truncate" => directives.truncate = true,
                "cut" => directives.cut = true,
                "loop" => directives.repeat = true,
                "slow" => directives.slow_ms = argument.parse().ok().map(|ms: u64| ms.min(SLOW_MS_MAX)),
                "fail" => directives.fail = argument.parse().ok(),
                "fail-after" => directives.fail_after = argument.parse().ok(),
                _ => {}
            }
        }
        directives
    }

    /// The status to fail with.
    pub(super) fn fail_now(&self, after_result: bool) -> Option<u16> {
        if after_result { self.fail_after } else { self.fail }
    }
}

/// Where a directive ends: at its bracket, brackets inside braces not counted.
fn bracket_end(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ']' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

impl Asked {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(body).map_err(|e| format!("not JSON: {e}"))?;
        let messages = json["messages"].as_array().ok_or("messages must be a list")?.clone();
        if messages.is_empty() {
            return Err("messages must hold at least one message; the list is empty".to_owned());
        }
        let tools = json["tools"].as_array().into_iter().flatten().filter_map(|tool| {
            let function = &tool["function"];
            let properties = function["parameters"]["properties"].as_object().cloned().unwrap_or_default();
            Some(Tool { name: function["name"].as_str()?.to_owned(), properties })
        });
        let mut asked = Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            stream: json["stream"] == true,
            include_usage: json["stream_options"]["include_usage"] == true,
            tools: tools.collect(),
            tool_choice: json["tool_choice"].clone(),
            messages,
            directives: Directives::default(),
        };
        let of_system = asked.messages.iter().filter(|message| message["role"] == "system").map(|message| text_of(&message["content"]));
        let told: Vec<String> = of_system.chain([asked.last_user_text()]).collect();
        asked.directives = Directives::read(&told.join("\n"));
        Ok(asked)
    }

    /// Whether the last message is a tool's result.
    pub(super) fn after_result(&self) -> bool {
        self.messages.last().is_some_and(|message| message["role"] == "tool")
    }

    /// The last thing the user said.
    pub(super) fn last_user_text(&self) -> String {
        self.messages.iter().rev().find(|message| message["role"] == "user").map(|message| text_of(&message["content"])).unwrap_or_default()
    }

    /// The name of the tool whose result came last; empty if that is not to be seen.
    pub(super) fn last_tool(&self) -> String {
        let calls = self.messages.iter().rev().find_map(|message| message["tool_calls"].as_array());
        let id = self.messages.last().map(|message| &message["tool_call_id"]);
        let called = calls.and_then(|calls| calls.iter().find(|call| Some(&call["id"]) == id));
        called.and_then(|call| call["function"]["name"].as_str()).unwrap_or_default().to_owned()
    }

    /// The last tool's result.
    pub(super) fn last_result(&self) -> Option<Value> {
        let message = self.messages.last().filter(|message| message["role"] == "tool")?;
        serde_json::from_str(&text_of(&message["content"])).ok()
    }

    /// The merchant's order, told in a system message.
    pub(super) fn order(&self) -> Value {
        let system = self.messages.iter().filter(|message| message["role"] == "system" || message["role"] == "developer");
        let mut orders = system.filter_map(|message| {
            let text = text_of(&message["content"]);
            let json: Value = serde_json::from_str(text.get(text.find('{')?..)?).ok()?;
            Some(json["order"].clone()).filter(Value::is_object)
        });
        orders.next_back().unwrap_or_default()
    }
}

/// The text of a message's content, whole or in parts.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

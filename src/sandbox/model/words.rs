//! What a user wants, read from words the way a model would: roughly. What it reads is a claim; fengate checks it.

/// Words that ask for a payment.
const PAY: [&str; 14] = ["pay", "buy", "checkout", "check out", "purchase", "order ", "付", "买", "结账", "结帐", "买单", "埋单", "下单", "来一份"];

/// Words with which a request is none.
const NOT: [&str; 25] = [
    "don't", "do not", "not ", "never", "cancel", "refund", "if ", "unless", "would ", "should ", "how ", "what ", "why ", "?", "？", "不", "别",
    "取消", "退", "如果", "要是", "吗", "多少", "假如", "can i",
];

/// Words that ask how a payment stands.
const STATUS: [&str; 22] = [
    "status",
    "go through",
    "went through",
    "paid?",
    "is it paid",
    "did i pay",
    "has it been paid",
    "付了吗",
    "付款成功",
    "支付成功",
    "到账",
    "状态",
    "query",
    "how does",
    "did my payment",
    "have i paid",
    "succeed",
    "succeeded",
    "查询",
    "查一下",
    "付好了",
    "付上了",
];

/// Whether a text asks to pay.
pub(super) fn asks_to_pay(text: &str) -> bool {
    let text = text.to_lowercase();
    PAY.iter().any(|word| text.contains(word)) && !NOT.iter().any(|word| text.contains(word))
}

/// Words that ask for money back.
const REFUND: [&str; 4] = ["refund", "money back", "reimburse", "退"];

/// Words that ask for an order to be called off.
const CANCEL: [&str; 5] = ["cancel", "call off", "close the order", "取消", "关闭订单"];

/// Words with which either is none.
const NEITHER: [&str; 19] = [
    "don't",
    "do not",
    "don’t",
    "never",
    "no refund",
    "if ",
    "unless",
    "how ",
    "what ",
    "why ",
    "policy",
    "?",
    "？",
    "不要退",
    "不退",
    "别",
    "如果",
    "吗",
    "多久",
];

/// Whether a text asks for money back.
pub(super) fn asks_for_refund(text: &str) -> bool {
    has_plain_clause(text, &REFUND)
}

/// Whether a text asks for an order to be called off.
pub(super) fn asks_to_cancel(text: &str) -> bool {
    has_plain_clause(text, &CANCEL)
}

/// Whether a clause has one of `words` and nothing that turns it round: "it does not fit, refund it" does.
fn has_plain_clause(text: &str, words: &[&str]) -> bool {
    let lower = text.to_lowercase();
    let mut clauses = lower.split_inclusive([',', '，', '.', '。', ';', '；', '!', '！', '?', '？', '\n']);
    clauses.any(|clause| words.iter().any(|word| clause.contains(word)) && !NEITHER.iter().any(|word| clause.contains(word)))
}

/// Why, if a text says why.
pub(super) fn reason_of(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let starts = ["because ", "since ", "因为"];
    let start = starts.iter().find_map(|word| Some(lower.find(word)? + word.len()))?;
    let reason = text.get(start..)?.trim_end_matches(['.', '。', '!', '！']).trim();
    Some(reason.chars().take(60).collect()).filter(|reason: &String| !reason.is_empty())
}

/// Whether a text asks how a payment stands.
pub(super) fn asks_for_status(text: &str) -> bool {
    let text = text.to_lowercase();
    STATUS.iter().any(|word| text.contains(word))
}

/// Whether a text is Chinese.
pub(super) fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

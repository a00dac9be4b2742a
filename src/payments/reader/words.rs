//! Words around an amount: those that make it less than exact, those that go on with a payment, and those that decline one.

/// Words that make every amount beside them less than exact: an estimate, a bound, one of several, a part, or a sum yet to be made of it.
const INEXACT: &[&str] = &[
    "about",
    "around",
    "roughly",
    "approx",
    "between",
    "at most",
    "at least",
    "up to",
    "under",
    "over",
    "below",
    "above",
    "max",
    "budget",
    "limit",
    "more than",
    "less than",
    "maybe",
    "~",
    "or",
    "each",
    "every",
    "per",
    "apiece",
    "half",
    "off",
    "times",
    "plus",
    "minus",
    "discount",
    "owe",
    "owes",
    "owed",
    "x",
    "×",
    "*",
    "大概",
    "大约",
    "左右",
    "差不多",
    "上下",
    "以内",
    "以下",
    "以上",
    "不超过",
    "超过",
    "低于",
    "高于",
    "最多",
    "至少",
    "预算",
    "几",
    "每",
    "单价",
    "一半",
    "半价",
    "折",
    "减",
    "优惠",
    "或",
    "还是",
    "欠",
];

/// Words that decline, withdraw or give back.
const DECLINES: &[&str] = &[
    "don't",
    "do not",
    "dont",
    "don’t",
    "not",
    "never",
    "cancel",
    "refund",
    "stop",
    "no longer",
    "forget it",
    "never mind",
    "nevermind",
    "hold on",
    "wait",
    "不要",
    "不用",
    "不付",
    "不买",
    "不想",
    "不是",
    "别",
    "取消",
    "退",
    "算了",
    "先等",
    "停",
];

/// Words that ask for a payment.
const ASKS: &[&str] =
    &["pay", "buy", "checkout", "check out", "purchase", "order", "付款", "付钱", "付", "支付", "买", "结账", "结帐", "买单", "埋单", "下单", "扫码"];

/// Words that turn a wish to call off round.
const KEEPS: &[&str] = &["don't", "do not", "dont", "don’t", "not", "never", "keep", "if", "unless", "不要", "别", "不用", "保留", "如果", "除非"];

/// Words that agree to what was said before.
const ASSENTS: &[&str] = &[
    "yes",
    "yep",
    "ok",
    "okay",
    "sure",
    "please",
    "go ahead",
    "go on",
    "confirm",
    "confirmed",
    "do it",
    "right",
    "correct",
    "好",
    "是",
    "对",
    "嗯",
    "行",
    "可以",
    "确认",
    "没问题",
];

/// Whether a text may decline a payment, withdraw it or ask for money back. Doubt says yes.
pub fn declines(text: &str) -> bool {
    any(&text.to_lowercase(), DECLINES)
}

/// Whether a text may mean to keep an order ("do not cancel it"). Doubt says yes.
pub fn keeps(text: &str) -> bool {
    any(&text.to_lowercase(), KEEPS)
}

/// Whether a text goes on with what was asked before: it asks to pay, or agrees.
pub fn goes_on(text: &str) -> bool {
    let lower = text.to_lowercase();
    (any(&lower, ASKS) || any(&lower, ASSENTS)) && !any(&lower, DECLINES)
}

/// Whether words make the amounts of a text (in lower case) less than exact.
pub(super) fn inexact(lower: &str) -> bool {
    any(lower, INEXACT)
}

fn any(lower: &str, words: &[&str]) -> bool {
    words.iter().any(|word| mentions(lower, word))
}

/// Whether a text holds a word; an English one as a word of its own (`off`, but not `coffee`).
fn mentions(lower: &str, word: &str) -> bool {
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    let bounded = |c: Option<char>| !is_word || !c.is_some_and(|c| c.is_ascii_alphabetic());
    lower.match_indices(word).any(|(at, _)| bounded(lower[..at].chars().next_back()) && bounded(lower[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_declines_is_no_going_on() {
        for text in ["no, cancel, do not pay", "算了先别付", "不要付100元！", "not 100 yuan", "退款100元", "never mind"] {
            assert!(declines(text) && !goes_on(text), "{text}");
        }
        for text in ["ok", "好的", "yes please", "well, pay then", "confirm"] {
            assert!(goes_on(text) && !declines(text), "{text}");
        }
        assert!(keeps("do not cancel it") && keeps("别取消") && keeps("cancel it if it is late"));
        assert!(!keeps("cancel the order") && !keeps("取消订单"));
        for text in ["Thanks! What is the weather?", "nice coffee", "谢谢"] {
            assert!(!goes_on(text) && !declines(text), "{text}");
        }
    }
}

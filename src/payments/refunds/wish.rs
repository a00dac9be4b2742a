//! Wish: whether the user's own words plainly ask for a refund. A refund leaves without the payer scanning anything, so a model's call alone
//! is not enough. Doubt says no, and the user is asked.

use crate::payments::reader::{self, Grammar, Named, Reading};

/// Words that speak of a refund: a clause that holds one must be a plain wish.
const REFUND: [&str; 6] = ["refund", "money back", "reimburse", "return my money", "退", "还钱"];

/// A plain wish for a refund, and nothing else.
const TO_REFUND: Grammar = Grammar {
    verbs: "refund reimburse",
    fillers: "please pls i d want like to get give me us my our a the it them this that for of order payment purchase money back now full \
        fully in all everything rest remaining yes ok then once again",
    verbs_zh: "退款 退钱 退还 退给我 退我",
    fillers_zh: "我想要 我要 我想 帮我 给我 麻烦 申请 全部 全额 剩下的 其余的 余款 这个 这双 这件 这单 这笔 订单 我的 一下 现在 马上 立即 请 要 想 把 钱 款 都 给 我 它 吧 的 好",
};

/// The same as a question: only a plain yes after it makes it a wish.
const FOR_A_REFUND: Grammar = Grammar {
    verbs: TO_REFUND.verbs,
    fillers: "please i we you can could may d want like to get have give me us my our a the it them this that for of order payment purchase \
        money back now full in all everything rest",
    verbs_zh: "退款 退钱 退还 退给我 退我 退吗",
    fillers_zh: "我可以 可以 能不能 可不可以 能 可否 请问 我想 帮我 给我 申请 全部 全额 这个 这双 这件 这单 这笔 订单 我的 请 要 把 钱 款 给 我 它 吗 么 的 ？ ?",
};

/// Words that make a clause anywhere in the message a condition, a question, or a word against the refund.
const VETOES: [&str; 27] = [
    "?", "？", "if ", "unless", "until", "when ", "whether", "should", "would", "maybe", "later", "policy", "cancel", "stop", "如果", "要是", "假如",
    "除非", "等到", "吗", "么", "是否", "以后", "可能", "取消", "停止", "拒绝",
];

/// Words that turn the message round where a clause begins or ends with them.
const NEGATIONS: [&str; 14] = ["do not", "don't", "don’t", "dont", "never", "no", "not", "不要", "别", "请勿", "请不要", "请别", "不用", "不必"];

/// Words that ask for less than all without saying how much.
const PARTS: [&str; 33] = [
    "only",
    "just",
    "except",
    "but ",
    "quarter",
    "third",
    "fee",
    "shipping",
    "deposit",
    "tax",
    "运费",
    "邮费",
    "押金",
    "税",
    "一件",
    "一个",
    "其中",
    "除了",
    "half",
    "part",
    "portion",
    "percent",
    "%",
    "some of",
    "a bit",
    "the difference",
    "one of",
    "半",
    "部分",
    "差价",
    "差额",
    "折",
    "一点",
];

/// What a person says to agree.
const YES: [&str; 25] = [
    "yes",
    "yes please",
    "yes, please",
    "ok",
    "okay",
    "sure",
    "confirm",
    "confirmed",
    "go ahead",
    "do it",
    "please do",
    "是",
    "是的",
    "好",
    "好的",
    "确认",
    "可以",
    "对",
    "对的",
    "嗯",
    "行",
    "要",
    "同意",
    "退吧",
    "没问题",
];

/// The user messages that plainly ask for a refund: the last one, or the last two if the last agrees to what the one before asked for.
/// Empty where there is any doubt. `title` is what was paid for: its words may stand in the wish.
pub fn asked<'w>(user_words: &'w [String], title: &str) -> &'w [String] {
    match user_words {
        [.., last] if asks(last, title) => &user_words[user_words.len() - 1..],
        [.., before, last] if agrees(last) && (asks(before, title) || requests(before, title)) => &user_words[user_words.len() - 2..],
        _ => &[],
    }
}

/// The conversation up to the words that carry the wish: a plain yes behind a wish is the same wish.
pub fn up_to_the_wish<'w>(user_words: &'w [String], title: &str) -> &'w [String] {
    match user_words {
        [rest @ .., before, last] if agrees(last) && asks(before, title) => &user_words[..=rest.len()],
        _ => user_words,
    }
}

/// Whether a text asks for less than all without an exact amount.
pub fn asks_for_a_part(text: &str) -> bool {
    let text = text.to_lowercase();
    PARTS.iter().any(|word| text.contains(word))
}

/// One clause plainly asks, whatever the reasons around it are, and nothing in the message speaks against it.
fn asks(text: &str, title: &str) -> bool {
    let clauses = clauses(text);
    let vetoed = clauses.iter().any(|clause| VETOES.iter().any(|word| clause.contains(word)) || is_turned_round(clause));
    let with_amount = matches!(reader::amounts(text), Reading::One(_));
    let named = Named { title: whole(title), order_id: None };
    let plain = |clause: &String| TO_REFUND.holds(&worded(clause), named, with_amount);
    let mut speaking = clauses.iter().filter(|clause| REFUND.iter().any(|word| clause.contains(word))).peekable();
    !vetoed && speaking.peek().is_some() && speaking.all(plain)
}

/// Whether a clause begins or ends with a word against what is asked for: "do not", "请不要".
fn is_turned_round(clause: &str) -> bool {
    let bare = clause.trim_matches(|c: char| c.is_whitespace() || ",，.。;；!！".contains(c));
    NEGATIONS.iter().any(|word| {
        let apart = |edge: Option<char>| !word.is_ascii() || edge.is_none_or(|c| !c.is_ascii_alphabetic());
        bare.strip_prefix(word).is_some_and(|rest| apart(rest.chars().next()))
            || bare.strip_suffix(word).is_some_and(|rest| apart(rest.chars().next_back()))
    })
}

/// The whole message is a question for a refund.
fn requests(text: &str, title: &str) -> bool {
    FOR_A_REFUND.holds(&worded(&text.to_lowercase()).replace(['?', '？'], " "), Named { title: whole(title), order_id: None }, false)
}

/// The title of one thing; of several, naming one would mean a part, and none of their words may stand.
fn whole(title: &str) -> &str {
    let several = [",", "，", "、", ";", "；", "+", "&", " and ", "和"].iter().any(|between| title.contains(between));
    if several { "" } else { title }
}

/// Other ways to say it, in one word.
fn worded(clause: &str) -> String {
    clause.replace("money back", "refund").replace("return my money", "refund")
}

fn agrees(text: &str) -> bool {
    let text = text.to_lowercase();
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "!！。.,，~".contains(c));
    YES.contains(&bare)
}

/// A text in lower case, cut behind its punctuation and before its reasons.
fn clauses(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace(" because ", ", because ").replace("因为", "，因为");
    lower.split_inclusive(|c: char| ",，.。;；!！?？\n".contains(c)).map(|clause| format!("{} ", clause.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn plain_wishes_are_understood() {
        for text in [
            "refund the sneakers",
            "They do not fit, refund them",
            "Please refund me 10 yuan",
            "I want my money back",
            "退款",
            "这双鞋不合脚，请退款",
            "退我10块钱",
            "把钱退给我吧",
        ] {
            assert_eq!(asked(&words(&["hello", text]), "blue sneakers").len(), 1, "{text}");
        }
        assert_eq!(asked(&words(&["can I get a refund?", "Yes, please!"]), "").len(), 2);
        assert_eq!(asked(&words(&["可以退款吗？", "好的。"]), "").len(), 2);
    }

    #[test]
    fn doubt_says_no() {
        for text in [
            "hello",
            "pay for the sneakers",
            "don't refund it",
            "I do not want a refund",
            "never refund anybody",
            "can I get a refund?",
            "what is your refund policy",
            "refund it if it has not shipped",
            "refund the tea, but don't refund the cake",
            "不要退款",
            "别退了",
            "能退款吗",
            "退款要多久",
            "yes",
            "refund the tea",
            "refund more",
            "refund another",
            "cancel the refund",
            "stop the refund",
            "I refuse a refund",
            "I wouldn't refund it",
            "You can't refund it",
            "拒绝退款",
            "停止退款",
            "Do not, under any circumstances, refund it",
            "If it has not shipped yet, refund it",
            "如果还没发货，请退款",
            "Should I refund it",
            "如何退款",
            "退款进度",
            "查一下退款",
            "tell me about refunds",
            "thanks for the refund",
            "谢谢，退款收到了",
            "他说要退款",
            "Maybe refund it later",
            "退出登录",
            "我退休了",
            "退而求其次，买这个",
            "this ticket is nonrefundable, right",
            "refund 10",
            "refund ten",
            "refund the shipping fee",
            "退运费",
            "退一件",
            "refund one shirt",
            "refund the deposit only",
            "退掉其中一个",
            "refund 1 of the 3",
            "refund everything except the tea",
            "just refund the tax",
            "refund a third of it",
            "退三成",
        ] {
            assert!(asked(&words(&[text]), "blue sneakers, tea").is_empty(), "{text}");
        }
        assert!(asked(&words(&["don't refund it", "ok"]), "").is_empty());
        assert!(asked(&words(&["refund it", "no wait"]), "").is_empty());
        assert!(asked(&words(&["refund it", "thanks, and what is the weather"]), "").is_empty(), "an old wish is not a new one");
        assert!(asked(&words(&["I had a refund last month", "yes"]), "").is_empty());
        assert!(asked(&[], "").is_empty());
    }

    #[test]
    fn a_yes_behind_a_wish_is_the_same_wish() {
        let talk = words(&["hello", "refund 10 yuan", "ok"]);
        assert_eq!(up_to_the_wish(&talk, ""), &talk[..2]);
        assert_eq!(up_to_the_wish(&talk[..2], ""), &talk[..2]);
        let asked_first = words(&["can I get a refund?", "yes"]);
        assert_eq!(up_to_the_wish(&asked_first, ""), asked_first.as_slice());
    }

    #[test]
    fn a_part_is_not_the_whole() {
        for text in ["only a quarter back, refund that", "just the tax, refund it", "refund half of it", "退一半", "refund 20%", "退差价"] {
            assert!(asks_for_a_part(text), "{text}");
        }
        assert!(!asks_for_a_part("refund the sneakers"));
    }
}

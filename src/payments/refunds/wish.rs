//! Wish: whether the user's own words plainly ask for a refund. A refund leaves without the payer scanning anything, so a model's call alone
//! is not enough. Doubt says no, and the user is asked.

/// Words that speak of a refund.
const REFUND: [&str; 8] = ["refund", "money back", "reimburse", "return my money", "退", "还钱", "把钱还", "钱还我"];

/// Words that turn the clause they stand in round.
const NEGATIONS: [&str; 13] = ["don't", "don’t", "dont", "not ", "never", "no ", "without", "instead of", "不", "别", "没", "无", "取消退"];

/// Words that make the clause they stand in a question or a condition.
const DOUBTS: [&str; 22] = [
    "?", "？", "if ", "unless", "when ", "how ", "what", "why ", "whether", "policy", "could i", "can i", "吗", "么", "如果", "要是", "能否", "可否",
    "多久", "多少", "政策", "才能",
];

/// Words that ask for less than all without saying how much.
const PARTS: [&str; 15] =
    ["half", "part", "portion", "percent", "%", "some of", "a bit", "the difference", "one of", "半", "部分", "差价", "差额", "折", "一点"];

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

/// The user messages that plainly ask for a refund: the last one, or the last two if the last agrees to what the one before spoke of.
/// Empty where there is any doubt.
pub fn asked(user_words: &[String]) -> &[String] {
    match user_words {
        [.., last] if asks(last) => &user_words[user_words.len() - 1..],
        [.., before, last] if agrees(last) && speaks(before) => &user_words[user_words.len() - 2..],
        _ => &[],
    }
}

/// Whether a text asks for less than all without an exact amount.
pub fn asks_for_a_part(text: &str) -> bool {
    let text = text.to_lowercase();
    PARTS.iter().any(|word| text.contains(word))
}

/// Every clause that speaks of a refund does so without negation, question or condition, and there is one.
fn asks(text: &str) -> bool {
    let clauses = clauses(text);
    let mut speaking = clauses.iter().filter(|clause| has(clause, &REFUND)).peekable();
    speaking.peek().is_some() && speaking.all(|clause| !has(clause, &NEGATIONS) && !has(clause, &DOUBTS))
}

fn speaks(text: &str) -> bool {
    let clauses = clauses(text);
    let mut speaking = clauses.iter().filter(|clause| has(clause, &REFUND)).peekable();
    speaking.peek().is_some() && speaking.all(|clause| !has(clause, &NEGATIONS))
}

fn agrees(text: &str) -> bool {
    let text = text.to_lowercase();
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "!！。.,，~".contains(c));
    YES.contains(&bare)
}

fn has(clause: &str, words: &[&str]) -> bool {
    words.iter().any(|word| clause.contains(word))
}

/// A text in lower case, cut behind its punctuation.
fn clauses(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
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
            assert_eq!(asked(&words(&["hello", text])).len(), 1, "{text}");
        }
        assert_eq!(asked(&words(&["can I get a refund?", "Yes, please!"])).len(), 2);
        assert_eq!(asked(&words(&["可以退款吗？", "好的。"])).len(), 2);
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
        ] {
            assert!(asked(&words(&[text])).is_empty(), "{text}");
        }
        assert!(asked(&words(&["don't refund it", "ok"])).is_empty());
        assert!(asked(&words(&["refund it", "no wait"])).is_empty());
        assert!(asked(&words(&["refund it", "thanks, and what is the weather"])).is_empty(), "an old wish is not a new one");
        assert!(asked(&[]).is_empty());
    }

    #[test]
    fn a_part_is_not_the_whole() {
        for text in ["refund half of it", "退一半", "refund 20%", "退差价"] {
            assert!(asks_for_a_part(text), "{text}");
        }
        assert!(!asks_for_a_part("refund the sneakers"));
    }
}

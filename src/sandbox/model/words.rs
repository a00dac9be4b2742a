//! Reads a user's words the way a model would: roughly. What it reads is a claim; fengate checks it.

/// Words that ask for a payment.
const PAY: [&str; 14] = ["pay", "buy", "checkout", "check out", "purchase", "order ", "付", "买", "结账", "结帐", "买单", "埋单", "下单", "来一份"];

/// Words with which a request is none.
const NOT: [&str; 25] = [
    "don't", "do not", "not ", "never", "cancel", "refund", "if ", "unless", "would ", "should ", "how ", "what ", "why ", "?", "？", "不", "别",
    "取消", "退", "如果", "要是", "吗", "多少", "假如", "can i",
];

/// Words that ask how a payment stands.
const STATUS: [&str; 12] = [
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
    let text = text.to_lowercase();
    REFUND.iter().any(|word| text.contains(word)) && !NEITHER.iter().any(|word| text.contains(word))
}

/// Whether a text asks for an order to be called off.
pub(super) fn asks_to_cancel(text: &str) -> bool {
    let text = text.to_lowercase();
    CANCEL.iter().any(|word| text.contains(word)) && !NEITHER.iter().any(|word| text.contains(word))
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

/// The first amount of yuan in a text, in fen.
pub(super) fn amount_fen(text: &str) -> Option<i64> {
    let chars: Vec<char> = text.to_lowercase().chars().collect();
    (0..chars.len()).find_map(|at| digits(&chars, at).or_else(|| numerals(&chars, at)))
}

fn is_unit(rest: &[char]) -> bool {
    let rest: String = rest.iter().take(6).collect();
    let rest = rest.trim_start();
    ["元", "块", "yuan", "rmb", "cny", "kuai"].iter().any(|unit| rest.starts_with(unit))
}

fn is_sign(before: &[char]) -> bool {
    let before: String = before.iter().collect();
    let before = before.trim_end();
    ["¥", "￥", "rmb", "cny"].iter().any(|sign| before.ends_with(sign))
}

fn digits(chars: &[char], at: usize) -> Option<i64> {
    let before = chars.get(..at)?;
    if !chars.get(at)?.is_ascii_digit() || before.last().is_some_and(|c| c.is_ascii_alphanumeric() || *c == '.') {
        return None;
    }
    let length = chars.get(at..)?.iter().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).count();
    let text: String = chars.get(at..at + length)?.iter().filter(|c| **c != ',').collect();
    let text = text.trim_end_matches('.');
    let rest = chars.get(at + length..)?;
    if !is_unit(rest) && !is_sign(before) {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut fen = whole.parse::<i64>().ok()?.checked_mul(100)?;
    fen += format!("{fraction:0<2}").get(..2)?.parse::<i64>().ok()?;
    // 12块5
    let tenth = match rest {
        ['块' | '元', tenth, ..] => tenth.to_digit(10),
        _ => None,
    };
    fen.checked_add(i64::from(tenth.unwrap_or(0)) * 10)
}

fn numerals(chars: &[char], at: usize) -> Option<i64> {
    const DIGITS: &str = "零一二三四五六七八九";
    let value = |c: char| if c == '两' { Some(2) } else { DIGITS.chars().position(|digit| digit == c).and_then(|n| i64::try_from(n).ok()) };
    let unit = |c: char| match c {
        '十' => Some(10),
        '百' => Some(100),
        '千' => Some(1_000),
        _ => None,
    };
    let is_numeral = |c: char| value(c).is_some() || unit(c).is_some() || c == '万';
    if !is_numeral(*chars.get(at)?) || at.checked_sub(1).and_then(|at| chars.get(at)).is_some_and(|c| is_numeral(*c)) {
        return None;
    }
    let length = chars.get(at..)?.iter().take_while(|c| is_numeral(**c)).count();
    if !is_unit(chars.get(at + length..)?) {
        return None;
    }
    let (mut total, mut section, mut digit) = (0i64, 0i64, 0i64);
    for c in chars.get(at..at + length)? {
        if let Some(n) = value(*c) {
            digit = n;
        } else if let Some(n) = unit(*c) {
            section += if digit == 0 { n } else { digit * n };
            digit = 0;
        } else {
            total += (section + digit) * 10_000;
            (section, digit) = (0, 0);
        }
    }
    (total + section + digit).checked_mul(100)
}

/// What a text asks to pay for: the words between "for" (or the verb) and the amount.
pub(super) fn object_of(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let starts = ["for the ", "for a ", "for ", "buy the ", "buy a ", "buy ", "purchase the ", "purchase "];
    let mut objects = starts.iter().filter_map(|start| text.get(lower.find(start)? + start.len()..).map(up_to_the_end));
    let chinese = || is_chinese(text).then(|| chinese_object(text));
    objects.find(|object| is_object(object)).or_else(|| chinese().filter(|object| is_object(object)))
}

fn is_object(object: &str) -> bool {
    !object.is_empty() && amount_fen(object).is_none() && object.chars().count() <= 60
}

fn up_to_the_end(words: &str) -> String {
    let lower = words.to_lowercase();
    let ends = [" with ", " using ", " now", " please", ",", ".", "!", " at ", " for "];
    let end = ends.iter().filter_map(|end| lower.find(end)).min().unwrap_or(words.len());
    words.get(..end).unwrap_or_default().trim().to_owned()
}

fn chinese_object(text: &str) -> String {
    const AROUND: &str = "帮我请用微信支付款买单下结账元块，。！¥￥.、一百二十三四五六七八九两千万零";
    text.chars().filter(|c| !c.is_ascii_digit() && !AROUND.contains(*c)).collect::<String>().trim().to_owned()
}

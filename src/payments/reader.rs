//! The second reader of money: reads amounts out of a user's own words without a model, and stays silent wherever there is more than one way
//! to read them. Yuan only; Arabic digits and plain Chinese numerals.

/// What a text says about money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It names no amount.
    Nothing,
    /// It names exactly one amount, in fen (possibly several times).
    One(i64),
    /// It speaks of money in a way that has no single exact reading.
    Unclear,
}

/// Words that make every amount beside them less than exact, or several.
const INEXACT: [&str; 52] = [
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
    "more than",
    "less than",
    "maybe",
    "~",
    "大概",
    "大约",
    "左右",
    "差不多",
    "上下",
    "以内",
    "以下",
    "以上",
    "不超过",
    "最多",
    "几",
    // Several, or a part, or a sum yet to be made of it.
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

/// Words with which a request is no plain request to pay.
const NOT_PLAIN: [&str; 34] = [
    "don't", "do not", "dont", "don’t", "not ", "never", "cancel", "refund", "stop", "if ", "when ", "unless", "until", "later", "tomorrow", "?",
    "？", "不", "别", "取消", "退", "如果", "要是", "等", "吗", "多少", "明天", "以后", "how ", "what ", "why ", "should ", "would ", "half",
];

/// Words that ask for a payment.
const ASKS: [&str; 15] =
    ["pay", "buy", "checkout", "check out", "purchase", "付", "支付", "买", "结账", "结帐", "买单", "埋单", "下单", "扫码", "order "];

/// Whether a text plainly asks to pay: no negation, no condition, no question. Doubt says no.
pub fn asks_to_pay(text: &str) -> bool {
    let text = text.to_lowercase();
    ASKS.iter().any(|word| text.contains(word)) && !NOT_PLAIN.iter().any(|word| text.contains(word))
}

/// Reads the amounts a text names.
pub fn amounts(text: &str) -> Reading {
    let lower = text.to_lowercase();
    let chars: Vec<char> = lower.chars().collect();
    let mut found: Vec<i64> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match amount_at(&chars, at) {
            Some((Some(fen), end)) => {
                found.push(fen);
                at = end;
            }
            Some((None, _)) => return Reading::Unclear,
            None => at += 1,
        }
    }
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [] if speaks_of_money(&lower) => Reading::Unclear,
        [] => Reading::Nothing,
        [fen] if *fen > 0 && !INEXACT.iter().any(|word| mentions(&lower, word)) && !disguised(&lower) => Reading::One(*fen),
        _ => Reading::Unclear,
    }
}

/// Whether a text holds a word; an English one as a word of its own (`off`, but not `coffee`).
fn mentions(lower: &str, word: &str) -> bool {
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    let bounded = |c: Option<char>| !is_word || !c.is_some_and(|c| c.is_ascii_alphabetic());
    lower.match_indices(word).any(|(at, _)| bounded(lower[..at].chars().next_back()) && bounded(lower[at + word.len()..].chars().next()))
}

/// Money is mentioned, although no amount could be read.
fn speaks_of_money(lower: &str) -> bool {
    ["yuan", "rmb", "cny", "元", "块", "¥", "￥", "$", "€", "usd", "dollar"].iter().any(|word| lower.contains(word))
}

/// Characters that look like others or like nothing: what is seen is then not what is read.
fn disguised(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '０'..='９'))
}

/// An amount that starts at `at`: its fen (`None` if it is malformed) and where it ends.
fn amount_at(chars: &[char], at: usize) -> Option<(Option<i64>, usize)> {
    if let Some(start) = sign_at(chars, at) {
        let (fen, end) = digits_at(chars, start)?;
        return Some((fen.filter(|_| !glued(chars, end)), end));
    }
    if at > 0 && chars.get(at - 1).is_some_and(|c| c.is_ascii_alphanumeric() || ".,-$€".contains(*c) || hanzi_digit(*c)) {
        return None;
    }
    let (fen, end) = digits_at(chars, at).or_else(|| hanzi_at(chars, at))?;
    let unit = unit_at(chars, end)?;
    let (tenths, end) = tenths_at(chars, unit);
    let fen = fen.and_then(|fen| if tenths > 0 && fen % 100 != 0 { None } else { fen.checked_add(tenths * 10) });
    // The far end of a range, or one of several (`50到80元`, `5或8元`), is no amount of its own.
    let ranged = at > 0 && chars.get(at - 1).is_some_and(|c| "到至~—–或/".contains(*c));
    Some((fen.filter(|_| !ranged && !glued(chars, end)), end))
}

/// Whether a number goes on where an amount should have ended (`5元3元` is two amounts; `5-8元` and `5元8分半` are none).
fn glued(chars: &[char], end: usize) -> bool {
    matches!((chars.get(end), chars.get(end + 1)), (Some('.' | ',' | '-' | '~' | '到' | '至' | '/'), Some(next)) if next.is_ascii_digit() || hanzi_digit(*next))
        || chars.get(end).is_some_and(|c| c.is_ascii_digit() || matches!(c, '半' | '多' | '来' | '万' | '亿' | '千' | '百' | 'k' | 'w'))
}

/// A currency sign in front of a number: where the number starts.
fn sign_at(chars: &[char], at: usize) -> Option<usize> {
    let after = ["¥", "￥", "rmb", "cny"].iter().find_map(|sign| starts_with(chars, at, sign))?;
    let start = after + chars.get(after..)?.iter().take_while(|c| **c == ' ').count();
    chars.get(start).filter(|c| c.is_ascii_digit()).map(|_| start)
}

/// A unit behind a number, blanks allowed before it: where it ends.
fn unit_at(chars: &[char], at: usize) -> Option<usize> {
    let start = at + chars.get(at..)?.iter().take_while(|c| **c == ' ').count();
    ["yuan", "rmb", "cny", "kuai", "元钱", "元", "块钱", "块"].iter().find_map(|unit| starts_with(chars, start, unit))
}

/// `12块5`, `12块5毛`, `12元5角`: the tenths, and where they end.
fn tenths_at(chars: &[char], at: usize) -> (i64, usize) {
    let Some(tenths) = chars.get(at).and_then(|c| c.to_digit(10).or_else(|| hanzi_value(*c))) else { return (0, at) };
    match chars.get(at + 1) {
        Some('毛' | '角') => (i64::from(tenths), at + 2),
        Some(c) if c.is_ascii_digit() || hanzi_digit(*c) || *c == '.' => (0, at),
        _ => (i64::from(tenths), at + 1),
    }
}

fn starts_with(chars: &[char], at: usize, word: &str) -> Option<usize> {
    let len = word.chars().count();
    chars.get(at..at + len).is_some_and(|slice| slice.iter().copied().eq(word.chars())).then_some(at + len)
}

/// A number in Arabic digits, with strict thousands commas and at most two decimals: its fen and its end.
fn digits_at(chars: &[char], at: usize) -> Option<(Option<i64>, usize)> {
    let end = at + chars.get(at..)?.iter().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).count();
    let text: String = chars.get(at..end)?.iter().collect();
    let kept = text.trim_end_matches(['.', ',']);
    if !kept.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let whole = kept.split('.').next().unwrap_or_default();
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() == 1 || (groups[0].len() <= 3 && groups.iter().skip(1).all(|group| group.len() == 3));
    let fen =
        crate::money::fen_of_yuan(&kept.replace(',', "")).filter(|_| grouped && !kept.split('.').skip(1).any(|decimals| decimals.contains(',')));
    Some((fen, at + kept.chars().count()))
}

/// A number in plain Chinese numerals up to 99,999,999, in its full form: its fen and its end.
fn hanzi_at(chars: &[char], at: usize) -> Option<(Option<i64>, usize)> {
    let count = chars.get(at..)?.iter().take_while(|c| hanzi_digit(**c)).count();
    let word = chars.get(at..at + count).filter(|word| !word.is_empty())?;
    Some((hanzi_number(word).and_then(|yuan| yuan.checked_mul(100)), at + count))
}

fn hanzi_digit(c: char) -> bool {
    hanzi_value(c).is_some() || matches!(c, '十' | '百' | '千' | '万')
}

fn hanzi_value(c: char) -> Option<u32> {
    Some(match c {
        '零' | '〇' => 0,
        '一' => 1,
        '二' | '两' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

/// `一百二十` and the like: each digit with its unit, units falling. Short forms (`百八`, `两万三`) have a missing unit and are not read here.
fn hanzi_number(word: &[char]) -> Option<i64> {
    let (high, low) = match word.iter().position(|c| *c == '万') {
        Some(n) => (below_ten_thousand(&word[..n]).filter(|high| *high > 0)?, &word[n + 1..]),
        None => (0, word),
    };
    let low_value = if low.is_empty() && high > 0 { 0 } else { below_ten_thousand(low)? };
    // `两万三` means 23,000, `两万零三` 20,003: without 零 a small rest is a short form.
    if high > 0 && low_value > 0 && low_value < 1_000 && low.first() != Some(&'零') {
        return None;
    }
    Some(high * 10_000 + low_value)
}

fn below_ten_thousand(word: &[char]) -> Option<i64> {
    let (mut sum, mut digit, mut unit_before, mut zero) = (0i64, None::<i64>, 10_000i64, false);
    for (n, c) in word.iter().enumerate() {
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1_000,
            _ => {
                let value = i64::from(hanzi_value(*c)?);
                if digit.is_some() {
                    return None;
                }
                if value == 0 {
                    zero = true
                } else {
                    digit = Some(value)
                }
                continue;
            }
        };
        let value = digit.take().or((unit == 10 && n == 0).then_some(1))?;
        if unit >= unit_before {
            return None;
        }
        sum += value * unit;
        unit_before = unit;
        zero = false;
    }
    match digit {
        // A last digit stands for ones only after tens, after 零, or alone.
        Some(ones) if unit_before == 10 || zero || word.len() == 1 => Some(sum + ones),
        Some(_) => None,
        None => (sum > 0).then_some(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_amounts_are_read_to_the_fen() {
        for (text, fen) in [
            ("pay 129 yuan for the blue sneakers", 12_900),
            ("帮我支付¥39.9", 3_990),
            ("12块5，微信付", 1_250),
            ("12块5毛", 1_250),
            ("付一百二十元", 12_000),
            ("十五块", 1_500),
            ("两千零五元", 200_500),
            ("两万元", 2_000_000),
            ("RMB 1,680.00 please", 168_000),
            ("¥1,680", 168_000),
            ("129元，对，就是129元", 12_900),
            ("cny 0.01", 1),
            ("Pay 45 yuan.", 4_500),
            ("30 yuan for coffee and an orange, express", 3_000),
        ] {
            assert_eq!(amounts(text), Reading::One(fen), "{text}");
        }
    }

    #[test]
    fn doubt_is_never_a_number() {
        for text in [
            "大概50元",
            "50到80元",
            "5-8元",
            "about 30 yuan",
            "30元还是13元",
            "十来块",
            "百八块",
            "两万三元",
            "1.234元",
            "１２元",
            "12\u{200b}9元",
            "$20",
            "20 dollars",
            "0元",
            "1,23元",
            "三五块",
            "5元半",
            "3万元",
            "几块钱",
            "5千元",
            "10k yuan",
            "pay 10 or 20 yuan for tea",
            "two coffees at 15 yuan each",
            "付 2 杯咖啡，每杯 15 元",
            "pay 3 x 20 yuan for pens",
            "3x20元",
            "pay half of 20 yuan for pens",
            "pay 20 yuan off 100 for pens",
            "my friend owes me 100 yuan, pay for the coffee",
            "100元打八折",
            "单价15元",
            "30 yuan plus a tip",
        ] {
            assert_eq!(amounts(text), Reading::Unclear, "{text}");
        }
        for text in ["buy two pairs", "order SO-1001", "付款", "room 129", "第三件"] {
            assert_eq!(amounts(text), Reading::Nothing, "{text}");
        }
    }

    #[test]
    fn only_a_plain_request_asks_to_pay() {
        for text in ["Pay for the blue sneakers", "帮我付款", "buy it now", "买单", "checkout please"] {
            assert!(asks_to_pay(text), "{text}");
        }
        for text in [
            "don't pay",
            "不要付",
            "pay if it is under 200",
            "can I pay later?",
            "付了吗",
            "what colours are there",
            "如果有货就买",
            "should I buy it",
            "退款",
            "",
        ] {
            assert!(!asks_to_pay(text), "{text}");
        }
    }
}

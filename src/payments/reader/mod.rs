//! The second reader of money: reads amounts out of a user's own words without a model, and stays silent wherever there is more than one way
//! to read them. Yuan only; Arabic digits and plain Chinese numerals.

mod numbers;
mod plain;
mod words;

use numbers::{digits_at, hanzi_at, hanzi_digit, hanzi_value, numeral_like};

pub use plain::{Grammar, Named, asks_to_pay};
pub use words::{declines, goes_on, keeps};

/// What may follow `三十块`: anything else makes 块 a piece of something (`两块蛋糕`).
const AFTER_KUAI: &str = "钱的买给付吧了整请谢来微用就对好啊呢哦呀嘛，。！、；,.!;";

/// Counts with these make a price one of several (`2件30元`), unless a sum is named.
const COUNTED: &str = "件个杯份瓶张双条斤本台次盒包袋只";

/// Words that name a sum.
const SUMS: [&str; 6] = ["共", "合计", "总计", "总价", "加起来", "全部"];

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
        [fen] if *fen > 0 && !words::inexact(&lower) && !disguised(&lower) && !several(&chars, &lower) => Reading::One(*fen),
        _ => Reading::Unclear,
    }
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
        let lettered = chars.get(end).is_some_and(char::is_ascii_alphabetic);
        return Some((fen.filter(|_| !lettered && !continues(chars, at) && !glued(chars, end)), end));
    }
    if at > 0 && chars.get(at - 1).is_some_and(|c| c.is_ascii_alphanumeric() || ".,$€".contains(*c) || hanzi_digit(*c)) {
        return None;
    }
    let (fen, end) = digits_at(chars, at).or_else(|| hanzi_at(chars, at))?;
    let unit = unit_at(chars, end)?;
    let (tenths, end) = tenths_at(chars, unit);
    let fen = fen.and_then(|fen| if tenths > 0 && fen % 100 != 0 { None } else { fen.checked_add(tenths * 10) });
    let piece = end == unit && chars.get(unit - 1) == Some(&'块') && chars.get(end).is_some_and(|c| !c.is_ascii() && !AFTER_KUAI.contains(*c));
    Some((fen.filter(|_| !piece && !continues(chars, at) && !glued(chars, end)), end))
}

/// Whether what stands before an amount belongs to it: a sign, an ordinal, the near end of a range, or more of the number, blanks and
/// separators between (`1 500元`, `12。5元`, `一百 二十元`, `第三块`).
fn continues(chars: &[char], at: usize) -> bool {
    let before = chars.get(..at).unwrap_or_default();
    let near = before.last().is_some_and(|c| "第负-－−~—–到至或/".contains(*c));
    let mut rest = before.iter().rev().skip_while(|c| c.is_whitespace());
    let last = rest.next().copied().unwrap_or('.');
    let separated = "，,．.。·'’:：".contains(last) && rest.next().copied().is_some_and(numeral_like);
    near || numeral_like(last) || separated || after_another(before)
}

/// `10 or 20 yuan`, `10 to 20 yuan`: the number before has no unit of its own, and the amount is one of several.
fn after_another(before: &[char]) -> bool {
    let before: String = before.iter().collect();
    let words = [" or ", " to ", " and "];
    words.iter().any(|word| before.strip_suffix(word).is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit())))
}

/// Whether a number goes on where an amount should have ended (`5元3元` is two amounts; `5-8元` and `5元8分半` are none).
fn glued(chars: &[char], end: usize) -> bool {
    matches!((chars.get(end), chars.get(end + 1)), (Some('.' | ',' | '-' | '~' | '到' | '至'), Some(next)) if next.is_ascii_digit() || hanzi_digit(*next))
        || chars.get(end).is_some_and(|c| c.is_ascii_digit() || matches!(c, '半' | '多' | '来' | '万' | '亿' | '千' | '百' | 'k' | 'w' | '/'))
}

/// Whether things are counted in front of a price, so that the price may be of one of them.
fn several(chars: &[char], lower: &str) -> bool {
    let counts = chars.windows(2).any(|pair| COUNTED.contains(pair[1]) && numeral_like(pair[0]) && !"1一半".contains(pair[0]));
    let spaced = chars.windows(3).any(|three| COUNTED.contains(three[2]) && three[1] == ' ' && numeral_like(three[0]) && !"1一".contains(three[0]));
    (counts || spaced) && !SUMS.iter().any(|word| lower.contains(word))
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
    let end = ["yuan", "rmb", "cny", "kuai", "元钱", "元", "块钱", "块"].iter().find_map(|unit| starts_with(chars, start, unit))?;
    // `5 yuanshi` is no amount.
    let is_word = chars.get(end - 1).is_some_and(char::is_ascii_alphabetic) && chars.get(end).is_some_and(char::is_ascii_alphabetic);
    (!is_word).then_some(end)
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
            ("好，30元", 3_000),
            ("付三十块买咖啡", 3_000),
            ("付十五块给花店", 1_500),
            ("买2件，一共30元", 3_000),
            ("买一杯30元的咖啡", 3_000),
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
            "from 10 to 20 yuan",
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
            "1，500元",
            "1 500元",
            "1'500元",
            "12。5元",
            "5·8元",
            "¥5e3",
            "壹佰二十元",
            "一百 二十元",
            "廿五元",
            "一百零 五元",
            "两百 五十块",
            "2万 5元",
            "－50元",
            "−50元",
            "-50元",
            "负50元",
            "低于100元",
            "超过100元",
            "至少100元",
            "预算100元",
            "below 100 yuan",
            "max 100 yuan",
            "100元/人，3人",
            "两块蛋糕",
            "第三块",
            "买2件30元的",
            "买 3 杯 15元的咖啡",
        ] {
            assert_eq!(amounts(text), Reading::Unclear, "{text}");
        }
        for text in ["buy two pairs", "order SO-1001", "付款", "room 129", "第三件"] {
            assert_eq!(amounts(text), Reading::Nothing, "{text}");
        }
    }
}

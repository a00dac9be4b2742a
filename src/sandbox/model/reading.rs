//! Reads amounts and things bought out of a user's words, roughly. What it reads is a claim; fengate checks it.

use super::words::is_chinese;

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
    fen.checked_add(tenths(rest).unwrap_or(0) * 10)
}

fn numerals(chars: &[char], at: usize) -> Option<i64> {
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
    let fen = (total + section + digit).checked_mul(100)?;
    fen.checked_add(chars.get(at + length..).and_then(tenths).unwrap_or(0) * 10)
}

/// `元五角`, `块五`: the tenths behind a whole number.
fn tenths(rest: &[char]) -> Option<i64> {
    match rest {
        ['块' | '元', tenth, ..] => tenth.to_digit(10).map(i64::from).or_else(|| value(*tenth)).filter(|tenth| (1..10).contains(tenth)),
        _ => None,
    }
}

fn value(c: char) -> Option<i64> {
    const DIGITS: &str = "零一二三四五六七八九";
    if c == '两' { Some(2) } else { DIGITS.chars().position(|digit| digit == c).and_then(|n| i64::try_from(n).ok()) }
}

/// What a text asks to pay for: the words between "for" (or the verb) and the amount.
pub(super) fn object_of(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let starts = ["for the ", "for a ", "for ", "buy the ", "buy a ", "buy ", "purchase the ", "purchase ", "order the ", "order a ", "order "];
    let mut objects = starts.iter().filter_map(|start| text.get(lower.find(start)? + start.len()..).map(up_to_the_end));
    let chinese = || is_chinese(text).then(|| chinese_object(text));
    objects.find(|object| is_object(object)).or_else(|| chinese().filter(|object| is_object(object)))
}

fn is_object(object: &str) -> bool {
    let is_number = object.starts_with(|c: char| c.is_ascii_digit());
    !object.is_empty() && !is_number && amount_fen(object).is_none() && object.chars().count() <= 60
}

fn up_to_the_end(words: &str) -> String {
    let lower = words.to_lowercase();
    let ends = [" with ", " using ", " now", " please", ",", ".", "!", " at ", " for "];
    let end = ends.iter().filter_map(|end| lower.find(end)).min().unwrap_or(words.len());
    words.get(..end).unwrap_or_default().trim().to_owned()
}

/// What stands behind 买, behind 的 where a price comes before it, else what is left without the words around a payment.
fn chinese_object(text: &str) -> String {
    const AROUND: &str = "帮我请用微信支付款买单下结账元块钱，。！¥￥.、一百二十三四五六七八九两千万零角毛给想要吧了";
    let after = text.rsplit_once('买').and_then(|(_, bought)| bought.split(['，', '。', '！', ',']).next());
    let bought = after.filter(|bought| !bought.is_empty()).unwrap_or(text);
    let plain = bought.rsplit_once('的').map_or(bought, |(_, plain)| plain);
    plain
        .trim_start_matches(['一', '杯', '份', '个'])
        .chars()
        .filter(|c| !c.is_ascii_digit() && !AROUND.contains(*c))
        .collect::<String>()
        .trim()
        .to_owned()
}

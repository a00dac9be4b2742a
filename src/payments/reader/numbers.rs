//! Numbers in a text: Arabic digits with thousands commas, and Chinese numerals in their full form. What has several readings is none.

/// A number in Arabic digits, with strict thousands commas and at most two decimals: its fen and its end.
pub(super) fn digits_at(chars: &[char], at: usize) -> Option<(Option<i64>, usize)> {
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
pub(super) fn hanzi_at(chars: &[char], at: usize) -> Option<(Option<i64>, usize)> {
    let count = chars.get(at..)?.iter().take_while(|c| hanzi_digit(**c)).count();
    let word = chars.get(at..at + count).filter(|word| !word.is_empty())?;
    Some((hanzi_number(word).and_then(|yuan| yuan.checked_mul(100)), at + count))
}

/// A numeral that [`hanzi_at`] reads.
pub(super) fn hanzi_digit(c: char) -> bool {
    hanzi_value(c).is_some() || matches!(c, '十' | '百' | '千' | '万')
}

/// The value of a Chinese digit.
pub(super) fn hanzi_value(c: char) -> Option<u32> {
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

/// Anything that may be a part of a number, read here or not: digits of every script, and the numerals of cheques and almanacs.
pub(super) fn numeral_like(c: char) -> bool {
    c.is_numeric() || hanzi_digit(c) || "壹贰叁肆伍陆柒捌玖拾佰仟萬亿億廿卅卌貳參陸两半".contains(c)
}

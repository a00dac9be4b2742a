//! The text of a bill as a table: headings, rows, and a summary of one row. Data fields begin with a back-tick; amounts are yuan, and are read
//! to the fen or not at all.

use crate::money::fen_of_yuan;

/// The one column people write freely: commas and back-ticks in it must not move the amounts behind it.
const FREE_TEXT: &str = "商品名称";

/// A bill before its columns are known.
#[derive(Debug)]
pub(super) struct Sheet<'t> {
    headings: Vec<&'t str>,
    rows: Vec<Vec<&'t str>>,
    summary_headings: Vec<&'t str>,
    summary: Vec<&'t str>,
}

/// One row, by heading.
#[derive(Clone, Copy)]
pub(super) struct Row<'s> {
    headings: &'s [&'s str],
    fields: &'s [&'s str],
}

impl<'t> Sheet<'t> {
    /// Reads the text of a bill. A text that ends before its summary was cut off.
    pub(super) fn read(text: &'t str) -> Result<Self, String> {
        let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.is_empty()).enumerate();
        let headings: Vec<&str> = lines.next().ok_or("it is empty")?.1.split(',').collect();
        let mut rows = Vec::new();
        let summary_headings: Vec<&str> = loop {
            match lines.next().ok_or("it has no summary: it was cut off")? {
                (at, line) if line.starts_with('`') => rows.push(fields(line, &headings).map_err(|why| format!("line {}: {why}", at + 1))?),
                (_, line) => break line.split(',').collect(),
            }
        };
        let summary = fields(lines.next().ok_or("its summary is cut off")?.1, &summary_headings)?;
        match lines.next() {
            Some((at, _)) => Err(format!("line {}: more follows the summary", at + 1)),
            None => Ok(Self { headings, rows, summary_headings, summary }),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row { headings: &self.headings, fields })
    }

    pub(super) fn summary(&self) -> Row<'_> {
        Row { headings: &self.summary_headings, fields: &self.summary }
    }

    /// Checks the number of rows, under `count`, and each sum of the summary, named beside its column. A column the bill has not sums up to 0.
    pub(super) fn adds_up(&self, count: &str, sums: &[(&str, &str)]) -> Result<(), String> {
        let rows: u64 = self.summary().text(count)?.parse().map_err(|_| format!("{count} is no number"))?;
        if rows != self.rows.len() as u64 {
            return Err(format!("it has {} rows and says {rows}", self.rows.len()));
        }
        for (sum, column) in sums.iter().filter(|(sum, _)| self.summary_headings.contains(sum)) {
            let mut total = 0_i64;
            for row in self.rows().filter(|row| row.has(column)) {
                total = row.millifen(column)?.checked_add(total).ok_or("its sums are too large")?;
            }
            if total != self.summary().millifen(sum)? {
                return Err(format!("{sum} is not the sum of its rows"));
            }
        }
        Ok(())
    }
}

impl<'s> Row<'s> {
    /// Whether the bill has this column.
    pub(super) fn has(self, heading: &str) -> bool {
        self.headings.contains(&heading)
    }

    /// A field as it stands.
    pub(super) fn text(self, heading: &str) -> Result<&'s str, String> {
        let at = self.headings.iter().position(|name| *name == heading).ok_or_else(|| format!("it has no column {heading}"))?;
        self.fields.get(at).copied().ok_or_else(|| format!("a row without {heading}"))
    }

    /// A field that may be empty or `0`, which both say that there is none.
    pub(super) fn optional(self, heading: &str) -> Result<Option<&'s str>, String> {
        if self.has(heading) { self.text(heading).map(|text| Some(text).filter(|text| !matches!(*text, "" | "0"))) } else { Ok(None) }
    }

    /// An amount in whole fen.
    pub(super) fn fen(self, heading: &str) -> Result<i64, String> {
        let millifen = self.millifen(heading)?;
        if millifen % 1_000 == 0 { Ok(millifen / 1_000) } else { Err(format!("{heading} is no whole number of fen")) }
    }

    /// An amount in whole fen, if the bill has the column.
    pub(super) fn optional_fen(self, heading: &str) -> Result<Option<i64>, String> {
        if self.has(heading) { self.fen(heading).map(Some) } else { Ok(None) }
    }

    /// An amount in thousandths of a fen: fees have five decimals.
    pub(super) fn millifen(self, heading: &str) -> Result<i64, String> {
        let text = self.text(heading)?;
        millifen_of_yuan(text).ok_or_else(|| format!("{heading} is no amount"))
    }
}

/// The fields of a line. Surplus ones belong to the column people write.
fn fields<'t>(line: &'t str, headings: &[&str]) -> Result<Vec<&'t str>, String> {
    let line = line.strip_prefix('`').ok_or("a row that begins with no back-tick")?;
    let parts: Vec<&str> = line.split(",`").collect();
    if parts.len() == headings.len() {
        return Ok(parts);
    }
    let free = headings.iter().position(|name| *name == FREE_TEXT);
    match (free, parts.len().checked_sub(headings.len())) {
        (Some(free), Some(surplus)) => {
            let before: usize = parts[..free].iter().map(|part| part.len() + 2).sum();
            let length = parts[free..=free + surplus].iter().map(|part| part.len() + 2).sum::<usize>() - 2;
            Ok(parts[..free].iter().copied().chain([&line[before..before + length]]).chain(parts[free + surplus + 1..].iter().copied()).collect())
        }
        _ => Err(format!("{} fields under {} headings", parts.len(), headings.len())),
    }
}

/// Reads yuan with up to five decimals, signed, exactly into thousandths of a fen.
fn millifen_of_yuan(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let cut = digits.find('.').map_or(digits.len(), |point| digits.len().min(point + 3));
    let (to_the_fen, rest) = (digits.get(..cut)?, digits.get(cut..)?);
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if rest.is_empty() { 0 } else { format!("{rest:0<3}").parse::<i64>().ok()? };
    fen_of_yuan(to_the_fen)?.checked_mul(1_000)?.checked_add(beyond)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yuan_are_read_exactly_or_not_at_all() {
        for (text, millifen) in
            [("1.00", 100_000), ("0.01000", 1_000), ("-0.00060", -60), ("0.00001", 1), ("12.5", 1_250_000), ("7", 700_000), ("-1.00", -100_000)]
        {
            assert_eq!(millifen_of_yuan(text), Some(millifen), "{text}");
        }
        for bad in ["", "-", "1.", "--1", "1.000001", "1e3", "+1", "1.00x", "1.0 0", "１.00", "99999999999999999.00"] {
            assert_eq!(millifen_of_yuan(bad), None, "{bad}");
        }
    }

    const HEAD: &str = "时间,商品名称,金额\n";
    const TAIL: &str = "总数,总金额\n`1,`1.00\n";

    #[test]
    fn what_people_wrote_moves_no_amount() {
        for name in ["a,b", "a,`9.99", "`,`,`", ",`", "a,`b,`c,`0.00"] {
            let text = format!("\u{feff}{HEAD}`t,`{name},`1.00\r\n{TAIL}");
            let sheet = Sheet::read(&text).expect("reads");
            let row = sheet.rows().next().expect("a row");
            assert_eq!((row.text("商品名称"), row.fen("金额")), (Ok(name), Ok(100)), "{name}");
            assert_eq!(sheet.adds_up("总数", &[("总金额", "金额")]), Ok(()));
        }
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let sums = [("总金额", "金额")];
        for (text, says) in [
            (String::new(), "empty"),
            (HEAD.to_owned(), "cut off"),
            (format!("{HEAD}`t,`n,`1.00\n总数,总金额\n"), "cut off"),
            (format!("{HEAD}`t,`1.00\n{TAIL}"), "2 fields under 3"),
            (format!("{HEAD}`t,`n,`1.00\n`t,`n,`1.00\n{TAIL}"), "2 rows and says 1"),
            (format!("{HEAD}`t,`n,`1.01\n{TAIL}"), "总金额 is not the sum"),
            (format!("{HEAD}`t,`n,`x\n{TAIL}"), "金额 is no amount"),
            (format!("{HEAD}`t,`n,`1.00\n{TAIL}`more\n"), "more follows"),
            (format!("{HEAD}`t,`x\n`t,`n,`1.00\n{TAIL}"), "2 fields under 3"),
        ] {
            let verdict = Sheet::read(&text).and_then(|sheet| sheet.adds_up("总数", &sums));
            assert!(verdict.as_ref().is_err_and(|why| why.contains(says)), "{text}: {verdict:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\u{feff})?([`,.0-9a-z商品名称金额总数\n\r-]{0,80})") {
            let _ = Sheet::read(&text).and_then(|sheet| sheet.adds_up("总数", &[("总金额", "金额")]));
        }

        #[test]
        fn a_written_amount_is_the_amount_read(fen in 0_i64..1_000_000_000) {
            prop_assert_eq!(millifen_of_yuan(&format!("{}.{:02}", fen / 100, fen % 100)), Some(fen * 1_000));
        }
    }
}

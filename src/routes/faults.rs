//! Faults of `routes.toml`: all of them at once, each with its line and what to do about it. Never with a secret's text.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// The place of what stands in for something at fault already: it has no line, and no further faults.
pub(super) const NOWHERE: Range<usize> = usize::MAX..usize::MAX;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; `None` for a fault of the whole file.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Every fault of a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>, String);

impl Faults {
    /// A fault of a file that could not even be read.
    pub(super) fn of_file(path: &Path, what: String) -> Self {
        Self(vec![Fault { line: None, what }], path.display().to_string())
    }

    /// Names the file.
    pub(super) fn in_file(mut self, path: &Path) -> Self {
        self.1 = path.display().to_string();
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            let end = if n + 1 < self.0.len() { "\n" } else { "" };
            match fault.line {
                Some(line) => write!(f, "{}:{line}: {}{end}", self.1, fault.what)?,
                None => write!(f, "{}: {}{end}", self.1, fault.what)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Collects faults while a file is read.
pub(super) struct Collector<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Collector<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// A fault at these bytes of the file.
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>) {
        if span == NOWHERE {
            return;
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        self.faults.push(Fault { line: Some(before.matches('\n').count() + 1), what: what.into() });
    }

    /// A fault of the whole file.
    pub(super) fn whole(&mut self, what: impl Into<String>) {
        self.faults.push(Fault { line: None, what: what.into() });
    }

    pub(super) fn into_faults(mut self) -> Faults {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults.dedup();
        Faults(self.faults, "routes.toml".to_owned())
    }
}

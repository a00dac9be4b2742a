//! The journal: one JSON line for each thing that happened, written before anybody hears of it, read again at start. A last line that was
//! cut off by a crash was never answered and is dropped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::SandboxError;

/// The journal's file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens the journal and gives what it holds.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Value>), SandboxError> {
        let failed = |why: String| SandboxError::File { path: path.to_owned(), why };
        let text = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(failed(e.to_string())),
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = text.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let entries =
            lines.map(serde_json::from_slice).collect::<Result<Vec<Value>, _>>().map_err(|e| failed(format!("holds a line that is no JSON: {e}")))?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|e| failed(e.to_string()))?;
        file.set_len(whole as u64).map_err(|e| failed(e.to_string()))?;
        Ok((Self { file, path: path.to_owned() }, entries))
    }

    /// Appends an entry; handed to the system when this returns, so a kill of the process does not lose it.
    pub(super) fn append(&mut self, entry: &Value) -> Result<(), SandboxError> {
        let written = self.file.write_all(format!("{entry}\n").as_bytes());
        written.map_err(|e| SandboxError::File { path: self.path.clone(), why: e.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_a_broken_one_inside_is_not_hidden() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("orders.jsonl");
        let (mut journal, found) = Journal::open(&path).expect("opens");
        assert!(found.is_empty());
        journal.append(&json!({"n": 1})).expect("written");
        journal.append(&json!({"n": 2})).expect("written");
        let whole = std::fs::read(&path).expect("read");
        std::fs::write(&path, &whole[..whole.len() - 3]).expect("cut");
        let (mut journal, found) = Journal::open(&path).expect("opens");
        assert_eq!(found, [json!({"n": 1})]);
        journal.append(&json!({"n": 3})).expect("written");
        assert_eq!(Journal::open(&path).expect("opens").1.len(), 2);
        std::fs::write(&path, "oops\n{}\n").expect("written");
        assert!(Journal::open(&path).is_err());
    }
}

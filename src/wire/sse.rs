//! Server-sent events: cuts a stream of bytes into whole events without changing a byte, and finds the data in one.
//! Ends of line may be LF, CRLF or CR; an event ends at an empty line.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The largest event that is held: a longer one is refused instead of filling memory.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event that is longer than [`EVENT_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
pub struct EventTooLong;

/// Cuts bytes into events. An event that arrives in one piece is passed on without being copied.
#[derive(Debug, Default)]
pub struct Framer {
    /// The start of an event whose end has not arrived.
    held: BytesMut,
    /// Bytes not looked at yet.
    fresh: Bytes,
}

impl Framer {
    /// Takes the next piece of the stream. Call [`Framer::next_event`] until it gives nothing before the next piece.
    pub fn push(&mut self, piece: Bytes) {
        if self.fresh.is_empty() {
            self.fresh = piece;
        } else {
            self.held.extend_from_slice(&self.fresh);
            self.fresh = piece;
        }
    }

    /// The next whole event, its empty line included.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, EventTooLong> {
        if self.held.is_empty() {
            if let Some(end) = event_end(&self.fresh, 0) {
                return Ok(Some(self.fresh.split_to(end)));
            }
        } else {
            // Look again from three bytes before the seam: the empty line may lie across it.
            let from = self.held.len().saturating_sub(3);
            self.held.extend_from_slice(&self.fresh);
            self.fresh.clear();
            if let Some(end) = event_end(&self.held, from) {
                let event = self.held.split_to(end).freeze();
                self.fresh = std::mem::take(&mut self.held).freeze();
                return Ok(Some(event));
            }
        }
        self.held.extend_from_slice(&self.fresh);
        self.fresh.clear();
        if self.held.len() > EVENT_BYTES_MAX { Err(EventTooLong) } else { Ok(None) }
    }

    /// What is left when the stream has ended: an event without its empty line, as some providers end.
    pub fn rest(&mut self) -> Option<Bytes> {
        self.held.extend_from_slice(&self.fresh);
        self.fresh.clear();
        let rest = std::mem::take(&mut self.held).freeze();
        (!rest.iter().all(u8::is_ascii_whitespace)).then_some(rest)
    }
}

/// Where the first event in `bytes` ends, looking for its empty line from `from` on.
fn event_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr2(b'\n', b'\r', bytes.get(at..)?) {
        let first = line_end(bytes, at + found)?;
        match bytes.get(first) {
            // A CR at the very end may be half of a CRLF: wait for more.
            Some(b'\n') => return Some(first + 1),
            Some(b'\r') => return line_end(bytes, first),
            Some(_) => at = first,
            None => return None,
        }
    }
    None
}

/// Where the line end that starts at `at` ends; `None` for a CR at the very end, which may be half of a CRLF.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(at + 2),
        (Some(b'\r'), None) => None,
        _ => Some(at + 1),
    }
}

/// What an event carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing a client's parser would deliver: comments, `event:`, `id:` or `retry:` lines alone.
    None,
    /// One `data:` line; the range of its text within the event.
    Line(Range<usize>),
    /// Several `data:` lines, joined as the standard says.
    Joined(String),
}

/// Finds the data of one event.
pub fn data_of(event: &[u8]) -> Data {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < event.len() {
        let end = memchr::memchr2(b'\n', b'\r', &event[start..]).map_or(event.len(), |n| start + n);
        if let Some(text) = event[start..end].strip_prefix(b"data:") {
            let skip = if text.first() == Some(&b' ') { 6 } else { 5 };
            lines.push(start + skip..end);
        }
        start = end + 1;
    }
    match lines.as_slice() {
        [] => Data::None,
        [line] => Data::Line(line.clone()),
        several => Data::Joined(several.iter().map(|line| String::from_utf8_lossy(&event[line.clone()])).collect::<Vec<_>>().join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(stream: &[u8], pieces: &[usize]) -> Vec<Bytes> {
        let (mut framer, mut events, mut at) = (Framer::default(), Vec::new(), 0);
        for size in pieces.iter().chain(std::iter::repeat(&stream.len())) {
            let end = (at + size).min(stream.len());
            framer.push(Bytes::copy_from_slice(&stream[at..end]));
            while let Some(event) = framer.next_event().expect("short events") {
                events.push(event);
            }
            at = end;
            if at == stream.len() {
                break;
            }
        }
        events.extend(framer.rest());
        events
    }

    const STREAM: &[u8] = b"data: {\"a\":1}\n\n: ping\n\ndata: x\r\n\r\nevent: e\rdata:y\r\rdata: \xe4\xb8\xad\ndata: z\n\ndata: [DONE]";

    #[test]
    fn events_are_cut_at_empty_lines_of_every_kind() {
        let events = cut(STREAM, &[]);
        let texts: Vec<&[u8]> = events.iter().map(Bytes::as_ref).collect();
        assert_eq!(
            texts,
            [
                &b"data: {\"a\":1}\n\n"[..],
                b": ping\n\n",
                b"data: x\r\n\r\n",
                b"event: e\rdata:y\r\r",
                b"data: \xe4\xb8\xad\ndata: z\n\n",
                b"data: [DONE]"
            ]
        );
        assert_eq!(data_of(texts[0]), Data::Line(6..13));
        assert_eq!(data_of(texts[1]), Data::None);
        assert_eq!(data_of(texts[3]), Data::Line(14..15));
        assert_eq!(data_of(texts[4]), Data::Joined("中\nz".to_owned()));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut framer = Framer::default();
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        let refused = (0..20).any(|_| {
            framer.push(piece.clone());
            framer.next_event() == Err(EventTooLong)
        });
        assert!(refused);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(pieces in proptest::collection::vec(1usize..9, 0..80)) {
            prop_assert_eq!(cut(STREAM, &pieces), cut(STREAM, &[]));
        }
    }
}

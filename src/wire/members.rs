//! The members of a JSON object in their order, values verbatim: how fengate changes one field of a document and leaves the rest as it came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of one JSON object. Values are slices of the document they were read from, or text written by fengate.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// Reads one JSON object.
    pub fn read(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// The value of `key` as JSON text; the last one if the key stands several times.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// Puts `value` (JSON text) in the place of `key`, or at the end.
    pub fn set(&mut self, key: &'static str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.0.iter_mut().rev().find(|(name, _)| name == key) {
            Some(member) => member.1 = value,
            None => self.0.push((Cow::Borrowed(key), value)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    /// Writes the object.
    pub fn write(&self) -> String {
        let mut text = String::with_capacity(self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() + 2);
        text.push('{');
        for (n, (name, value)) in self.0.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            text.push_str(&quoted(name));
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
    }
}

/// A JSON document that cannot be trusted to mean one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// It is not one JSON document.
    #[error("it is not valid JSON")]
    NotJson,
    /// An object names a member twice: two readers could take different values.
    #[error("a member stands twice")]
    Duplicate,
}

/// The value that a JSON pointer (RFC 6901, through objects) leads to, as JSON text; `None` where it leads nowhere or to `null`.
/// Numbers keep their digits: nothing here becomes a float.
pub fn at_pointer(json: &str, pointer: &str) -> Result<Option<String>, Unclear> {
    let mut value = json.trim().to_owned();
    // The first segment of a pointer is the empty text before its first slash.
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let members = Members::read(&value).map_err(|_| Unclear::NotJson)?;
        if members.0.iter().filter(|(other, _)| *other == name).count() > 1 {
            return Err(Unclear::Duplicate);
        }
        let Some(found) = members.get(&name).map(str::to_owned) else { return Ok(None) };
        value = found;
    }
    Ok((value != "null").then_some(value))
}

/// `text` as a JSON string, quotes included.
pub fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(name), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((name, Cow::Borrowed(value.get())));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A member's name, borrowed unless it holds an escape.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_came() {
        let json = r#"{"a": 1.10, "b\u0041": [ 1,2 ], "n": 12345678901234567890123, "a": 2}"#;
        let mut members = Members::read(json).expect("an object");
        assert_eq!(members.get("a"), Some("2"));
        members.set("c", "null");
        members.set("bA", "{}");
        assert_eq!(members.write(), r#"{"a":1.10,"bA":{},"n":12345678901234567890123,"a":2,"c":null}"#);
        members.remove("a");
        assert_eq!(members.write(), r#"{"bA":{},"n":12345678901234567890123,"c":null}"#);
    }

    #[test]
    fn pointers_keep_digits_and_refuse_duplicates() {
        let json = r#"{"amount":{"total":12.50,"a/b":"x"},"n":null}"#;
        assert_eq!(at_pointer(json, "/amount/total"), Ok(Some("12.50".to_owned())));
        assert_eq!(at_pointer(json, "/amount/a~1b"), Ok(Some("\"x\"".to_owned())));
        assert_eq!(at_pointer(json, "/n"), Ok(None));
        assert_eq!(at_pointer(json, "/nowhere"), Ok(None));
        assert_eq!(at_pointer(r#"{"a":1,"a":2}"#, "/a"), Err(Unclear::Duplicate));
        assert_eq!(at_pointer(r#"{"a":1,"\u0061":2}"#, "/a"), Err(Unclear::Duplicate));
        assert_eq!(at_pointer(r#"{"a":1"#, "/a"), Err(Unclear::NotJson));
        assert_eq!(at_pointer("[1]", "/a"), Err(Unclear::NotJson));
    }

    #[test]
    fn only_an_object_is_read() {
        for bad in ["", "[]", "1", "{\"a\":}", "{} x"] {
            assert!(Members::read(bad).is_err(), "{bad}");
        }
    }
}

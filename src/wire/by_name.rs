//! A JSON object read by the names of its members. Serde's derived readers also take an array and fill the fields by position, so that
//! `["user", "pay 5 yuan"]` would pass for a message.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A `T` out of a JSON object, and out of nothing else. A member that `T` names and that stands twice is an error.
#[derive(Clone, Copy, Debug)]
pub struct ByName<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = ByName<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(ByName)
            }
        }

        deserializer.deserialize_map(Read(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields<'a> {
        #[serde(borrow)]
        a: &'a serde_json::value::RawValue,
        #[serde(default)]
        b: u32,
    }

    #[test]
    fn only_an_object_is_read_and_no_member_twice() {
        let read = |json: &str| {
            serde_json::from_str::<ByName<Fields<'_>>>(json).map(|ByName(fields)| (fields.a.get().to_owned(), fields.b)).map_err(|e| e.to_string())
        };
        assert_eq!(read(r#"{"b":2,"a":[1.0]}"#), Ok(("[1.0]".to_owned(), 2)));
        for (json, says) in [
            ("[1,2]", "expected a JSON object"),
            ("null", "expected a JSON object"),
            (r#"{"a":1,"\u0061":2}"#, "duplicate field `a` at line 1 column 15"),
            (r#"{"a":1,"c":2}"#, "unknown field `c`"),
            (r#"{"a":1,"b":-2}"#, "at line 1 column"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}

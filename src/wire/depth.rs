//! How deep a JSON document nests, found in one pass without reading it: what fengate skips, a reader further on may follow down to the end of its
//! stack.

/// The deepest nesting that is passed on.
pub const DEPTH_MAX: usize = 128;

/// Whether arrays and objects nest deeper than [`DEPTH_MAX`]. Of what is no JSON it says something, quickly, and a parser says the rest.
pub fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(json, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Where the string ends whose text starts at `at`.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        match json.get(at - 1) {
            Some(b'\\') => at += 1,
            _ => return at,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_and_those_in_strings_do_not() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!is_too_deep(nested(128).as_bytes()));
        assert!(is_too_deep(nested(129).as_bytes()));
        assert!(is_too_deep("{\"a\":".repeat(129).as_bytes()), "whether or not it ends");
        for shallow in [
            format!("[{}1]", "[],{},".repeat(500)),
            format!("[\"{}\"]", "[".repeat(500)),
            format!(r#"["\"{}"]"#, "{".repeat(500)),
            format!(r#"["\\","{}"]"#, "{".repeat(500)),
            format!("\"{}", "[".repeat(500)),
            "\"\\".to_owned(),
            "]]]".to_owned(),
            String::new(),
        ] {
            assert!(!is_too_deep(shallow.as_bytes()), "{shallow}");
        }
        assert!(is_too_deep(format!(r#"["\\",{}"#, "[".repeat(128)).as_bytes()), "the string ended");
    }
}

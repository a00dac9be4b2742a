//! Takes what may be a key out of a provider's words before a caller reads them: the gateway's own key first of all, then everything that looks
//! like one. What the request itself contained is no secret to whoever sent it.

/// What stands in the place of a key.
const REDACTED: &str = "[redacted]";

/// From this length on a word of letters and digits may be a key, in characters.
const TOKEN_CHARS_MIN: usize = 20;

/// How the keys of well-known providers begin.
const KEY_STARTS: [&str; 11] = ["sk-", "sk_", "pk-", "pk_", "rk_", "ak-", "gsk_", "xai-", "hf_", "AIza", "eyJ"];

/// `text` without keys. `own_key` is the lane's; `sent` is the request it answers.
pub(super) fn redacted(text: &str, own_key: Option<&str>, sent: &[u8]) -> String {
    let text = match own_key.filter(|key| !key.is_empty()) {
        Some(key) => text.replace(key, REDACTED),
        None => text.to_owned(),
    };
    let mut told = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_of_token) {
        let (before, from) = rest.split_at(start);
        told.push_str(before);
        let (token, after) = from.split_at(from.find(|c| !is_of_token(c)).unwrap_or(from.len()));
        told.push_str(if looks_like_key(token, sent) { REDACTED } else { token });
        rest = after;
        if token.eq_ignore_ascii_case("bearer") {
            rest = without_credential(after, &mut told);
        }
    }
    told.push_str(rest);
    told
}

/// Characters of keys; `*` too, for keys that are shown in part.
fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*')
}

fn looks_like_key(token: &str, sent: &[u8]) -> bool {
    let starts = KEY_STARTS.iter().any(|start| token.len() > start.len() + 3 && token.starts_with(start));
    let shown_in_part = token.contains("***") && token.contains(|c: char| c.is_ascii_alphanumeric());
    if starts || shown_in_part {
        return true;
    }
    // A name in the request (a model, a field) is long at times, and the answer is of use only with it.
    let long = token.len() >= TOKEN_CHARS_MIN && token.contains(|c: char| c.is_ascii_digit()) && token.contains(|c: char| c.is_ascii_alphabetic());
    long && memchr::memmem::find(sent, token.as_bytes()).is_none()
}

/// Leaves out the word after `Bearer`, whatever it looks like; gives back what follows it.
fn without_credential<'t>(after: &'t str, told: &mut String) -> &'t str {
    let word = after.trim_start_matches([' ', ':', '=']);
    told.push_str(after.get(..after.len() - word.len()).unwrap_or_default());
    let end = word.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | '<' | '>')).unwrap_or(word.len());
    if end > 0 {
        told.push_str(REDACTED);
    }
    word.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] = br#"{"model":"Meta-Llama-3-70B-Instruct-2024","messages":[{"role":"user","content":"my key is sk-mine-4711"}]}"#;

    fn told(text: &str) -> String {
        redacted(text, Some("own key/4711+=="), SENT)
    }

    #[test]
    fn keys_of_every_kind_are_left_out() {
        for (text, says) in [
            ("bad key own key/4711+==!", "bad key [redacted]!"),
            ("Incorrect API key provided: sk-provider-SECRET-canary.", "Incorrect API key provided: [redacted]."),
            ("key sk-prov********nary", "key [redacted]"),
            ("key ab***yz of **yours**", "key [redacted] of **yours**"),
            ("Authorization: Bearer tiny", "Authorization: Bearer [redacted]"),
            ("\"bearer: a.b/c==\", sorry", "\"bearer: [redacted]\", sorry"),
            ("Bearer", "Bearer"),
            ("token 0123456789abcdefghij of org", "token [redacted] of org"),
            ("AIzaSyA-b", "[redacted]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "[redacted].[redacted].[redacted]"),
            ("sk-mine-4711", "[redacted]"),
        ] {
            assert_eq!(told(text), says);
        }
    }

    #[test]
    fn words_stay() {
        for text in [
            "This model's maximum context length is 8192 tokens (Meta-Llama-3-70B-Instruct-2024).",
            "context_length_exceeded",
            "messages.0.content.1.image_url: InvalidParameterValueException",
            "参数错误：messages 不能为空",
            "keys start with sk-",
            "",
        ] {
            assert_eq!(told(text), text);
        }
    }
}

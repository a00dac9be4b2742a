//! The languages fengate speaks to people.

/// A language fengate speaks to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Chinese (simplified).
    Zh,
    /// English.
    En,
}

impl Language {
    /// The language an `Accept-Language` field asks for first; English where it asks for neither.
    pub fn accepted(field: &str) -> Self {
        let first = field.split(',').map(str::trim).find(|tag| tag.starts_with("zh") || tag.starts_with("en"));
        if first.is_some_and(|tag| tag.starts_with("zh")) { Self::Zh } else { Self::En }
    }

    /// The language of a text: Chinese as soon as it holds a Han character.
    pub fn of_text(text: &str) -> Self {
        if text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) { Self::Zh } else { Self::En }
    }

    /// The tag for `lang` attributes.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_we_speak_wins() {
        assert_eq!(Language::accepted("fr-FR, zh-CN;q=0.9, en;q=0.8"), Language::Zh);
        assert_eq!(Language::accepted("en-US,zh"), Language::En);
        assert_eq!(Language::accepted(""), Language::En);
        assert_eq!(Language::of_text("帮我付 pay"), Language::Zh);
    }
}

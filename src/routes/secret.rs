//! Secrets are named in `routes.toml`, never written there: `env:NAME` or `file:PATH`. What they hold shows in no output.

use std::fmt;
use std::path::Path;

/// A secret's text. `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not show.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: hand it to what needs it, and to nothing that prints.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where secrets are looked up.
pub(super) struct Source<'s> {
    pub(super) dir: &'s Path,
    pub(super) env: &'s dyn Fn(&str) -> Option<String>,
}

impl Source<'_> {
    /// Looks up what `reference` names. The fault never repeats a text that is no reference: it may be the secret itself.
    pub(super) fn secret(&self, reference: &str) -> Result<Secret, String> {
        let text = if let Some(name) = reference.strip_prefix("env:") {
            (self.env)(name).ok_or_else(|| format!("the environment variable {name} is not set"))?
        } else if let Some(path) = reference.strip_prefix("file:") {
            let path = self.dir.join(path);
            std::fs::read_to_string(&path).map_err(|e| format!("the file {} cannot be read: {e}", path.display()))?
        } else {
            return Err("a secret is not written here but named: \"env:NAME\" or \"file:PATH\"".to_owned());
        };
        let text = text.trim().to_owned();
        if text.is_empty() { Err(format!("{reference} is empty")) } else { Ok(Secret(text)) }
    }
}

//! Declares the words of a field as an enum: the documented ones by name, and room for a word of the future.

/// `words! { /// doc  Name { /// doc  Variant = "WIRE", … } }`
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $( $(#[$variant_doc:meta])* $variant:ident = $word:literal ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant, )*
            /// A word of the future.
            Other(String),
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Ok(match word.as_str() {
                    $( $word => Self::$variant, )*
                    _ => Self::Other(word),
                })
            }
        }
    };
}

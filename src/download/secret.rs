//! What must not be read by others: passwords and tokens. Pure.

/// A password or a token. What prints or debugs it says only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keep a text to ourselves.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one who has to be told.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_only_to_whom_asks_for_it() {
        let secret = Secret::new("sesame");
        assert_eq!(format!("{secret} {secret:?}"), "(secret) (secret)");
        assert_eq!(secret.expose(), "sesame");
    }
}

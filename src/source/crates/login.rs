//! What a registry says of itself, and what it wants to hear from its users.

use tame_index::index::IndexConfig;

use super::{Crates, Error};
use crate::download::{self, Secret};
use crate::source::credentials::Asked;
use crate::source::index;
use crate::source::registry::Registry;

impl Crates<'_> {
    /// What the index says of itself, asked for once. Where that is to be told only to users, or that there are none
    /// but users, it has been found out who we are.
    pub(super) fn config(&self) -> Result<&IndexConfig, Error> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let bytes = match &self.registry {
            Registry::Sparse { index } => {
                let wanted = [(index::CONFIG, format!("{index}{}", index::CONFIG), self.cache.config_file())];
                self.with_login(|token| self.current(&wanted, token))?.remove(0)
            }
            Registry::Git { url } => self.in_git(url, index::CONFIG, || vec![index::CONFIG.to_owned()])?,
            Registry::Local { .. } => None,
        };
        let config = bytes.and_then(|bytes| serde_json::from_slice::<IndexConfig>(&bytes).ok());
        let Some(config) = config else { return Err(Error::Config { index: self.shown() }) };
        if config.auth_required && !self.downloader.is_offline() {
            self.login()?;
        }
        Ok(self.config.get_or_init(|| config))
    }

    /// Ask an index what it says of itself before anything else, as cargo does: one that is for users alone may say to
    /// others that it has nothing. A nameless one in the place of crates.io has no users.
    pub(super) fn greet(&self) -> Result<(), Error> {
        let open_to_all = self.known_as.title == super::CRATES_IO && self.known_as.name.is_none();
        if open_to_all || self.downloader.is_offline() { Ok(()) } else { self.config().map(drop) }
    }

    /// Ask for something as the one we are known as, or else as nobody; and once more with a token, if it takes one.
    pub(super) fn with_login<T>(&self, ask: impl Fn(Option<&Secret>) -> Result<T, Error>) -> Result<T, Error> {
        match self.token.get() {
            Some(token) => ask(Some(token)),
            None => match ask(None) {
                Err(Error::Login { .. }) => ask(Some(self.login()?)),
                other => other,
            },
        }
    }

    /// The token for this registry, asked for once.
    pub(super) fn login(&self) -> Result<&Secret, Error> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let address = self.registry.address();
        let asked = Asked {
            title: &self.who_asks(),
            name: self.known_as.name.as_deref(),
            // What stands in its place is not told its token.
            is_crates_io: self.registry.is_crates_io(),
            index: &address,
        };
        let token = self.credentials.token(&asked)?;
        let token = token.ok_or_else(|| self.unwelcome(None))?;
        Ok(self.token.get_or_init(|| token))
    }

    /// Whether a server wanted to know who asks, or did not like to hear it.
    pub(super) fn check_welcome<'e>(
        &self,
        mut errors: impl Iterator<Item = &'e download::Error>,
        token: Option<&Secret>,
    ) -> Result<(), Error> {
        let refused = |error: &download::Error| error.is_unauthorized() || (token.is_some() && error.is_forbidden());
        if errors.any(refused) { Err(self.unwelcome(token)) } else { Ok(()) }
    }

    fn unwelcome(&self, token: Option<&Secret>) -> Error {
        let (registry, name) = (self.who_asks(), self.known_as.name.clone());
        match token {
            None => Error::Login { registry, name },
            Some(_) => Error::Refused { registry, name },
        }
    }

    /// Who wants to know: not the registry that was meant, but the one that answers.
    fn who_asks(&self) -> String {
        match &self.known_as.name {
            Some(name) => format!("registry `{name}`"),
            None if self.known_as.title == super::CRATES_IO && !self.registry.is_crates_io() => {
                "the registry in the place of crates.io".to_owned()
            }
            None => self.known_as.title.clone(),
        }
    }

    fn shown(&self) -> String {
        match &self.registry {
            Registry::Sparse { index: url } | Registry::Git { url } => download::shown(url),
            Registry::Local { directory } => directory.display().to_string(),
        }
    }
}

//! A cache behind an HTTP server.

use std::time::Duration;

use super::{Error, Kind, LARGEST, wrong};
use crate::digest::BlobDigest;
use crate::disk;
use crate::download::{
    self, Authorization, Content, Downloader, FetchedFile, FileRequest, HeadRequest, Secret, SendRequest, Settings,
};
use crate::progress::Silent;
use crate::store::{self, Store};
use crate::tree::File;

#[derive(Debug)]
pub struct Web {
    url: String,
    downloader: Downloader,
    authorization: Authorization,
}

impl Web {
    /// A server that is left soon: what it has can be made without it.
    pub fn new(url: &str, settings: Settings, patience: Duration, token: Option<Secret>) -> Self {
        let settings = Settings {
            connect_timeout: patience,
            stall_timeout: patience,
            slow: (patience, 32 << 10),
            retries: 1,
            ..settings
        };
        let bearer = |token: Secret| Authorization::Token(Secret::new(format!("Bearer {}", token.expose())));
        let authorization = token.map_or(Authorization::Netrc, bearer);
        Self { url: url.to_owned(), downloader: Downloader::new(settings), authorization }
    }

    pub fn is_offline(&self) -> bool {
        self.downloader.is_offline()
    }

    fn url(&self, kind: Kind, name: &str) -> String {
        format!("{}/{}/{name}", self.url, kind.name())
    }

    pub fn small(&self, kind: Kind, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let place = tempfile_place()?;
        let request = |name: &String| FileRequest {
            name: name.clone(),
            url: self.url(kind, name),
            into: place.path().to_owned(),
            expected: (kind == Kind::Content).then(|| BlobDigest::from_hex(name).ok()).flatten(),
            max_size: LARGEST,
            authorization: self.authorization.clone(),
        };
        let requests: Vec<_> = names.iter().map(request).collect();
        let read = |fetched: FetchedFile| disk::read(fetched.file.path());
        let found = self.downloader.fetch_files(&requests, &Silent, read)?;
        found.into_iter().map(|one| Ok(present(one)?.transpose()?)).collect()
    }

    pub fn files(&self, files: &[File], store: &Store) -> Result<Vec<bool>, Error> {
        let into = store.temporary_directory()?;
        let request = |file: &File| FileRequest {
            name: file.blob.hex(),
            url: self.url(Kind::Content, &file.blob.hex()),
            into: into.clone(),
            expected: Some(file.blob),
            max_size: file.size,
            authorization: self.authorization.clone(),
        };
        let requests: Vec<_> = files.iter().map(request).collect();
        let came = self.downloader.fetch_files(&requests, &Silent, |fetched| fetched)?;
        let keep = |(file, came): (&File, Result<FetchedFile, download::Error>)| match present(came)? {
            Some(fetched) => keep(*file, &fetched, store).map(|()| true),
            None => Ok(false),
        };
        files.iter().zip(came).map(keep).collect()
    }

    pub fn has(&self, kind: Kind, names: &[String]) -> Result<Vec<bool>, Error> {
        let request = |name| HeadRequest { url: self.url(kind, name), authorization: self.authorization.clone() };
        let requests: Vec<_> = names.iter().map(|name| request(name)).collect();
        self.downloader.ask_for(&requests)?.into_iter().map(|there| Ok(there?)).collect()
    }

    pub fn put(&self, kind: Kind, things: Vec<(String, Content)>) -> Result<(), Error> {
        let request = |(name, content): (String, Content)| SendRequest {
            url: self.url(kind, &name),
            content,
            authorization: self.authorization.clone(),
        };
        let requests: Vec<_> = things.into_iter().map(request).collect();
        self.downloader.send(&requests)?.into_iter().try_for_each(|sent| Ok(sent?))
    }
}

/// What came, or nothing where the server has nothing.
fn present<T>(came: Result<T, download::Error>) -> Result<Option<T>, Error> {
    match came {
        Ok(came) => Ok(Some(came)),
        Err(error) if error.is_missing() => Ok(None),
        Err(download::Error::Digest { expected, .. }) => Err(wrong(&expected.hex())),
        Err(error) => Err(error.into()),
    }
}

fn keep(file: File, fetched: &FetchedFile, store: &Store) -> Result<(), Error> {
    if fetched.size != file.size {
        return Err(wrong(&file.blob.hex()));
    }
    disk::set_mode(fetched.file.path(), store::mode(file.executable))?;
    Ok(store.adopt_file(fetched.file.path(), file)?)
}

fn tempfile_place() -> Result<tempfile::TempDir, Error> {
    Ok(disk::temporary_directory_in(&crate::process::temporary_directory())?)
}

//! A cache behind an HTTP server.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{AT_A_TIME, Error, Kind, LARGEST, Take, wrong};
use crate::digest::BlobDigest;
use crate::disk;
use crate::download::{
    self, Authorization, Content, Downloader, FetchedFile, FileRequest, HeadRequest, SendRequest, Settings, There,
};
use crate::progress::Silent;
use crate::store::{self, Outcome, Store};
use crate::tree::File;

#[derive(Debug)]
pub struct Web {
    url: String,
    downloader: Downloader,
    authorization: Authorization,
    patience: Duration,
}

/// So many bytes have to come in the time of patience, or it is slow.
const LEAST: u64 = 32 << 10;

impl Web {
    /// A server that is left soon: what it has can be made without it.
    pub fn new(url: &str, settings: Settings, patience: Duration, authorization: Authorization) -> Self {
        let settings = Settings {
            connect_timeout: patience,
            stall_timeout: patience,
            slow: (patience, LEAST),
            retries: 1,
            longest_wait: patience,
            ..settings
        };
        Self { url: url.to_owned(), downloader: Downloader::new(settings), authorization, patience }
    }

    pub fn is_offline(&self) -> bool {
        self.downloader.is_offline()
    }

    fn url(&self, kind: Kind, name: &str) -> String {
        format!("{}/{}/{name}", self.url, kind.name())
    }

    pub fn small(&self, kind: Kind, names: &[String], take: &mut Take<'_>) -> Result<(), Error> {
        for (at, some) in names.chunks(AT_A_TIME).enumerate() {
            let (begun, place, mut bytes) = (Instant::now(), tempfile_place()?, 0);
            for (number, found) in self.smalls(kind, some, place.path())?.into_iter().enumerate() {
                let found = found.map(|fetched| disk::read(fetched.file.path())).transpose()?;
                bytes += found.as_ref().map_or(0, |found| found.len() as u64);
                take(at * AT_A_TIME + number, found)?;
            }
            self.keep_pace(begun, bytes)?;
        }
        Ok(())
    }

    fn smalls(&self, kind: Kind, names: &[String], into: &Path) -> Result<Vec<Option<FetchedFile>>, Error> {
        let request = |name: &String| FileRequest {
            name: name.clone(),
            url: self.url(kind, name),
            into: into.to_owned(),
            expected: (kind == Kind::Content).then(|| BlobDigest::from_hex(name).ok()).flatten(),
            max_size: LARGEST,
            authorization: self.authorization.clone(),
        };
        let requests: Vec<_> = names.iter().map(request).collect();
        let found = self.downloader.fetch_files(&requests, &Silent, |fetched| fetched)?;
        found.into_iter().map(present).collect()
    }

    /// Leave a server each of whose answers comes just in time.
    fn keep_pace(&self, begun: Instant, bytes: u64) -> Result<(), Error> {
        let took = begun.elapsed();
        let allowed = self.patience.saturating_mul(u32::try_from(1 + bytes / LEAST).unwrap_or(u32::MAX));
        if took > allowed { Err(Error::Slow { took }) } else { Ok(()) }
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
        let (begun, requests) = (Instant::now(), files.iter().map(request).collect::<Vec<_>>());
        let came = self.downloader.fetch_files(&requests, &Silent, |fetched| fetched)?;
        let keep = |(file, came): (&File, Result<FetchedFile, download::Error>)| match present(came)? {
            Some(fetched) => keep(*file, &fetched, store).map(|()| true),
            None => Ok(false),
        };
        let came = files.iter().zip(came).map(keep).collect::<Result<Vec<_>, Error>>()?;
        self.keep_pace(begun, files.iter().fold(0, |all, file| all.saturating_add(file.size)))?;
        Ok(came)
    }

    /// Whether it has things, with their sizes as far as it tells these. What an action gave may be said in many ways.
    pub fn has(&self, kind: Kind, things: &[(String, u64)]) -> Result<Vec<bool>, Error> {
        let request = |(name, _): &(String, u64)| HeadRequest {
            url: self.url(kind, name),
            authorization: self.authorization.clone(),
        };
        let (begun, requests) = (Instant::now(), things.iter().map(request).collect::<Vec<_>>());
        let found = self.downloader.ask_for(&requests)?.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.keep_pace(begun, 0)?;
        let is_there = |((_, size), there): (&(String, u64), There)| match there {
            There::No => false,
            There::Yes { size: Some(found) } => kind == Kind::Result || found == *size,
            There::Yes { size: None } => true,
        };
        Ok(things.iter().zip(found).map(is_there).collect())
    }

    /// The same, with all bytes read: those that are not what their names say are as good as not there.
    pub fn has_whole(&self, kind: Kind, things: &[(String, u64)]) -> Result<Vec<bool>, Error> {
        let (mut has, place) = (self.has(kind, things)?, tempfile_place()?);
        let there: Vec<_> = (0..things.len()).filter(|at| has[*at]).collect();
        let request = |at: &usize| {
            let (name, size) = &things[*at];
            FileRequest {
                name: name.clone(),
                url: self.url(kind, name),
                into: place.path().to_owned(),
                expected: (kind == Kind::Content).then(|| BlobDigest::from_hex(name).ok()).flatten(),
                max_size: if kind == Kind::Content { *size } else { LARGEST },
                authorization: self.authorization.clone(),
            }
        };
        let requests: Vec<_> = there.iter().map(request).collect();
        let read = |fetched: FetchedFile| match kind {
            Kind::Content => Ok(true),
            Kind::Result => disk::read(fetched.file.path()).map(|bytes| Outcome::from_message(&bytes).is_some()),
        };
        for (at, came) in there.iter().zip(self.downloader.fetch_files(&requests, &Silent, read)?) {
            has[*at] = match came {
                Ok(right) => right?,
                Err(download::Error::Digest { .. } | download::Error::TooLarge { .. }) => false,
                Err(error) if error.is_missing() => false,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(has)
    }

    pub fn put(&self, kind: Kind, things: Vec<(String, Content)>) -> Result<(), Error> {
        let request = |(name, content): (String, Content)| SendRequest {
            url: self.url(kind, &name),
            content,
            authorization: self.authorization.clone(),
        };
        let (begun, bytes) = (Instant::now(), things.iter().map(|(_, content)| content.size()).sum());
        let requests: Vec<_> = things.into_iter().map(request).collect();
        self.downloader.send(&requests)?.into_iter().try_for_each(|sent| sent)?;
        self.keep_pace(begun, bytes)
    }
}

/// What came, or nothing where the server has nothing.
fn present<T>(came: Result<T, download::Error>) -> Result<Option<T>, Error> {
    match came {
        Ok(came) => Ok(Some(came)),
        Err(error) if error.is_missing() => Ok(None),
        Err(download::Error::Digest { expected, .. }) => Err(wrong(Kind::Content, &expected.hex())),
        Err(error) => Err(error.into()),
    }
}

fn keep(file: File, fetched: &FetchedFile, store: &Store) -> Result<(), Error> {
    if fetched.size != file.size {
        return Err(wrong(Kind::Content, &file.blob.hex()));
    }
    disk::set_mode(fetched.file.path(), store::mode(file.executable))?;
    Ok(store.adopt_file(fetched.file.path(), file)?)
}

fn tempfile_place() -> Result<tempfile::TempDir, Error> {
    Ok(disk::temporary_directory_in(&crate::process::temporary_directory())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_each_of_whose_answers_comes_just_in_time_is_left() {
        let patience = Duration::from_secs(10);
        let web = Web::new("http://127.0.0.1/", Settings::default(), patience, Authorization::Nobody);
        let begun = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).expect("it runs for longer");
        assert!(web.keep_pace(begun(9), 0).is_ok());
        assert!(matches!(web.keep_pace(begun(11), LEAST - 1), Err(Error::Slow { .. })));
        assert!(web.keep_pace(begun(11), LEAST).is_ok(), "much takes longer");
    }
}

//! Giving a cache what it lacks: first all content, then what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Kind, Place, Remote};
use crate::digest::{ActionDigest, BlobDigest};
use crate::disk;
use crate::download::Content;
use crate::store::{Outcome, Store};
use crate::tree::{File, Tree};

/// How many things are sent before others are looked at.
const AT_A_TIME: usize = 256;

/// An output, with the result that it came by where that is here.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its tree, all of which is in the store.
    pub tree: Tree,
    /// The action and what it gave.
    pub result: Option<(ActionDigest, Outcome)>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// How many things.
    pub things: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

impl Remote {
    /// Send outputs. What the cache has is not sent again.
    pub fn push(&self, built: &[Built], store: &Store) -> Result<Pushed, Error> {
        let (mut files, mut messages, mut results) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        for one in built {
            files.extend(one.tree.files().map(|file| (file.blob, file.executable, file.size)));
            let encoded = one.tree.encode();
            for (digest, bytes) in &encoded.directories {
                messages.insert(digest.hex(), bytes.clone());
            }
            if let Some((action, outcome)) = &one.result {
                let (whole, log) = (encoded.whole(), store.read_blob(outcome.log)?);
                let message = outcome.to_message(&encoded, log.len() as u64, &whole);
                messages.insert(BlobDigest::of(&whole).hex(), whole);
                messages.insert(outcome.log.hex(), log);
                results.push((action.hex(), Content::Bytes(message)));
            }
        }
        let mut pushed = Pushed::default();
        let content = |(blob, executable, size): (BlobDigest, bool, u64)| {
            let file = File { blob, size, executable };
            (blob.hex(), Content::File(store.file_path(file), size), Some(file))
        };
        let mut all: Vec<_> = files.into_iter().map(content).collect();
        // One blob may stand for a file of either mode.
        all.dedup_by(|one, other| one.0 == other.0);
        all.extend(messages.into_iter().map(|(name, bytes)| (name, Content::Bytes(bytes), None)));
        for some in all.chunks(AT_A_TIME) {
            let names: Vec<_> = some.iter().map(|(name, ..)| name.clone()).collect();
            let there = self.has(Kind::Content, &names)?;
            let lacking = some.iter().zip(there).filter(|(_, there)| !there).map(|(one, _)| one);
            let lacking: Vec<_> = lacking.collect();
            // Nobody is sent what is damaged here.
            lacking.iter().filter_map(|(.., file)| *file).try_for_each(|file| store.require_proven(file))?;
            pushed.add(lacking.iter().map(|(_, content, _)| content));
            self.put(Kind::Content, lacking.into_iter().map(|(name, content, _)| (name.clone(), content.clone())))?;
        }
        let names: Vec<_> = results.iter().map(|(name, _)| name.clone()).collect();
        let there = self.has(Kind::Result, &names)?;
        let lacking: Vec<_> = results.into_iter().zip(there).filter(|(_, there)| !there).map(|(one, _)| one).collect();
        pushed.add(lacking.iter().map(|(_, content)| content));
        self.put(Kind::Result, lacking)?;
        Ok(pushed)
    }

    fn has(&self, kind: Kind, names: &[String]) -> Result<Vec<bool>, Error> {
        match &self.place {
            Place::Directory(directory) => Ok(directory.has(kind, names)),
            Place::Web(web) => web.has(kind, names),
        }
    }

    fn put(&self, kind: Kind, things: impl IntoIterator<Item = (String, Content)>) -> Result<(), Error> {
        let directory = match &self.place {
            Place::Directory(directory) => directory,
            Place::Web(web) => return web.put(kind, things.into_iter().collect()),
        };
        for (name, content) in things {
            match content {
                Content::Bytes(bytes) => directory.put(kind, &name, &mut &bytes[..])?,
                Content::File(path, _) => directory.put(kind, &name, &mut disk::open(&path)?)?,
            }
        }
        Ok(())
    }
}

impl Pushed {
    fn add<'c>(&mut self, contents: impl Iterator<Item = &'c Content>) {
        for content in contents {
            self.things += 1;
            self.bytes += match content {
                Content::Bytes(bytes) => bytes.len() as u64,
                Content::File(_, size) => *size,
            };
        }
    }
}

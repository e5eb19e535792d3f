//! Giving a cache what it lacks: first all content, then what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use super::{AT_A_TIME, Error, Kind, Place, Remote};
use crate::digest::{ActionDigest, BlobDigest};
use crate::disk;
use crate::download::Content;
use crate::store::{Outcome, Store};
use crate::tree::{File, Tree};

/// An output, with the result that it came by where that is here.
#[derive(Clone, Debug)]
pub struct Built {
    /// Its tree, all of which is in the store.
    pub tree: Tree,
    /// The action and what it gave.
    pub result: Option<(ActionDigest, Outcome)>,
}

/// How much is read of what a server has already. Directories are always read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing but how large it is.
    Sizes,
    /// All of it.
    Bytes,
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
    /// Send outputs. What the cache has is not sent again, unless it is damaged, as far as that is looked at.
    pub fn push(&self, built: &[Built], store: &Store, reading: Reading) -> Result<Pushed, Error> {
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
            let names: Vec<_> = some.iter().map(|(name, content, _)| (name.clone(), content.size())).collect();
            let there = self.has(Kind::Content, &names, reading)?;
            let lacking = some.iter().zip(there).filter(|(_, there)| !there).map(|(one, _)| one);
            let lacking: Vec<_> = lacking.collect();
            // Nobody is sent what is damaged here.
            lacking.iter().filter_map(|(.., file)| *file).try_for_each(|file| store.require_proven(file))?;
            pushed.add(lacking.iter().map(|(_, content, _)| content));
            self.put(Kind::Content, lacking.into_iter().map(|(name, content, _)| (name.clone(), content.clone())))?;
        }
        for some in results.chunks(AT_A_TIME) {
            let names: Vec<_> = some.iter().map(|(name, content)| (name.clone(), content.size())).collect();
            let there = self.has(Kind::Result, &names, reading)?;
            let lacking: Vec<_> = some.iter().zip(there).filter(|(_, there)| !there).map(|(one, _)| one).collect();
            pushed.add(lacking.iter().map(|(_, content)| content));
            self.put(Kind::Result, lacking.into_iter().cloned())?;
        }
        Ok(pushed)
    }

    /// What the cache has, by names and sizes.
    fn has(&self, kind: Kind, things: &[(String, u64)], reading: Reading) -> Result<Vec<bool>, Error> {
        match (&self.place, reading) {
            (Place::Directory(directory), _) => directory.has(kind, things),
            (Place::Web(web), Reading::Sizes) => web.has(kind, things),
            (Place::Web(web), Reading::Bytes) => web.has_whole(kind, things),
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
            self.bytes += content.size();
        }
    }
}

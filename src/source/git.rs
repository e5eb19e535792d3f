//! stub
pub use super::cargo_lock::GitReference as Reference;
use super::git_index::{GitIndexError, GitIndexes};
use super::mirrors::Mirrors;
use crate::digest::Commit;
use crate::download::Downloader;
use crate::progress::Progress;
use crate::store::Store;
use crate::tree::Tree;
use std::path::Path;
#[derive(Debug)]
pub struct Git<'a> {
    _d: &'a Downloader,
}
#[derive(Clone, Debug)]
pub struct GitSettings {
    pub with_program: bool,
}
#[derive(Clone, Debug)]
pub struct Tag {
    pub name: String,
    pub commit: Commit,
}
#[derive(Clone, Debug)]
pub struct WantedCommit {
    pub name: String,
    pub url: String,
    pub commit: Commit,
    pub reference: Option<Reference>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub enum Error {
    X,
}
pub struct Checkout {
    pub tree: Tree,
    pub time: i64,
}
impl<'a> Git<'a> {
    pub fn new(d: &'a Downloader, _cache: &Path, _m: &'a Mirrors, _s: GitSettings) -> Self {
        Self { _d: d }
    }
    pub fn tags(&self, _url: &str) -> Result<Vec<Tag>, Error> {
        Err(Error::X)
    }
    pub fn resolve(&self, _url: &str, _r: &Reference) -> Result<Commit, Error> {
        Err(Error::X)
    }
    pub fn has(&self, _url: &str, _c: &Commit) -> bool {
        false
    }
    pub fn fetch(&self, _w: &[WantedCommit], _p: &dyn Progress) -> Vec<Result<(), Error>> {
        Vec::new()
    }
    pub fn tree(&self, _url: &str, _c: &Commit, _s: &Store, _p: &dyn Progress) -> Result<Checkout, Error> {
        Err(Error::X)
    }
}
impl GitIndexes for Git<'_> {
    fn newest(&self, _url: &str) -> Result<String, GitIndexError> {
        Err(GitIndexError::Offline)
    }
    fn file(&self, _url: &str, _commit: &str, _path: &str) -> Result<Option<Vec<u8>>, GitIndexError> {
        Ok(None)
    }
}

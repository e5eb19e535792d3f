//! Results: what an action gave, as an `ActionResult` message of the Remote Execution API v2.
//!
//! The output tree is the `root_directory_digest` of the one output directory; the log is `stdout_digest`; how it
//! was made travels as JSON in an `Any` of type [`PROVENANCE`] in the execution metadata, where caches and build
//! farms carry it unchanged. Beside it lies a seal, of type [`SEAL`]: the digest of all the rest of what envy wrote, since
//! a result has no name that says what it should be. What is in the store without its seal, or with more than was sealed,
//! counts as none. What others send has none, and gets one when it is stored.

use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::{Error, Store};
use crate::digest::{ActionDigest, BlobDigest, TextDigest, TreeDigest};
use crate::disk;
use crate::platform::Needs;
use crate::tree::{Encoded, message::Digest};

const PROVENANCE: &str = "envy/Provenance/1";
const SEAL: &str = "envy/Seal/1";

/// What an action gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The tree that was installed.
    pub tree: TreeDigest,
    /// Everything the build printed.
    pub log: BlobDigest,
    /// How it was made.
    pub provenance: Provenance,
}

/// How a result was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name and version of the package.
    pub package: String,
    /// Which envy built it.
    pub envy: String,
    /// The way it was fenced: `namespaces` or `none`.
    pub sandbox: String,
    /// The compiler, as it calls itself.
    pub toolchain: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What the output needs from the host.
    pub needs: Needs,
    /// When, where and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

/// When, where and by whom something was built. None of it is hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// When it was finished, in UTC.
    pub time: String,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Store {
    /// What an action gave, where it is known and its output is here.
    pub fn outcome(&self, action: ActionDigest) -> Result<Option<Outcome>, Error> {
        let path = self.path_of("results", &action);
        let Some(bytes) = disk::read_if_exists(&path)? else { return Ok(None) };
        let _using = self.using();
        if !self.use_record(&path) {
            return Ok(None);
        }
        // A result that cannot be read is as good as none: it is made again.
        Ok(read(&bytes))
    }

    /// What actions gave, of all that are known, sorted by action. None of it counts as used.
    pub fn outcomes(&self, is_wanted: impl Fn(&Outcome) -> bool) -> Result<Vec<(ActionDigest, Outcome)>, Error> {
        let top = self.root().join("results");
        let mut found = Vec::new();
        for begin in disk::names_if_exists(&top)? {
            for end in disk::names_if_exists(&top.join(&begin))? {
                let hex = format!("{}{}", begin.to_string_lossy(), end.to_string_lossy());
                let Ok(action) = ActionDigest::from_hex(&hex) else { continue };
                let bytes = disk::read_if_exists(&top.join(&begin).join(&end))?.unwrap_or_default();
                found.extend(read(&bytes).filter(&is_wanted).map(|outcome| (action, outcome)));
            }
        }
        found.sort_by_key(|(action, _)| *action);
        Ok(found)
    }

    /// Remember what an action gave.
    pub fn put_outcome(
        &self,
        action: ActionDigest,
        outcome: &Outcome,
        encoded: &Encoded,
        log_size: u64,
    ) -> Result<(), Error> {
        let path = self.path_of("results", &action);
        let _using = self.using();
        let file = disk::temporary_in(&self.temporary_directory()?)?;
        disk::write(file.path(), &write(outcome, encoded, log_size))?;
        Ok(super::place(file, 0o444, &path)?)
    }
}

impl Outcome {
    /// The message that says it to others. They may want the directories of its tree as one message, `whole`, and not by
    /// themselves; the store does without.
    pub fn to_message(&self, encoded: &Encoded, log_size: u64, whole: &[u8]) -> Vec<u8> {
        let whole = Digest::new(&BlobDigest::of(whole).hex(), whole.len() as u64);
        message(self, encoded, log_size, Some(whole)).encode_to_vec()
    }

    /// What a message of others says, if that is how envy writes a build that succeeded. It may have no seal.
    pub fn from_message(bytes: &[u8]) -> Option<Self> {
        let mut result = message::ActionResult::decode(bytes).ok()?;
        let seals = take_seals(&mut result);
        let right = seal(&result);
        if seals.iter().all(|seal| *seal == right) { said(result) } else { None }
    }
}

fn write(outcome: &Outcome, encoded: &Encoded, log_size: u64) -> Vec<u8> {
    let mut result = message(outcome, encoded, log_size, None);
    let seal = message::Any { type_url: SEAL.to_owned(), value: seal(&result) };
    result.execution_metadata.get_or_insert_default().auxiliary_metadata.push(seal);
    result.encode_to_vec()
}

fn message(outcome: &Outcome, encoded: &Encoded, log_size: u64, whole: Option<Digest>) -> message::ActionResult {
    let provenance = serde_json::to_vec(&outcome.provenance).expect("provenance is plain data");
    message::ActionResult {
        output_directories: vec![message::OutputDirectory {
            path: "prefix".to_owned(),
            tree_digest: whole,
            root_directory_digest: Some(Digest::new(&outcome.tree.hex(), encoded.size)),
        }],
        exit_code: 0,
        stdout_digest: Some(Digest::new(&outcome.log.hex(), log_size)),
        execution_metadata: Some(message::ExecutedActionMetadata {
            auxiliary_metadata: vec![message::Any { type_url: PROVENANCE.to_owned(), value: provenance }],
        }),
    }
}

/// The digest of a result that has no seal yet.
fn seal(result: &message::ActionResult) -> Vec<u8> {
    TextDigest::of(&result.encode_to_vec()).hex().into_bytes()
}

/// Take a result's seals out of it.
fn take_seals(result: &mut message::ActionResult) -> Vec<Vec<u8>> {
    let Some(metadata) = &mut result.execution_metadata else { return Vec::new() };
    metadata.auxiliary_metadata.extract_if(.., |any| any.type_url == SEAL).map(|seal| seal.value).collect()
}

/// What a result in the store says, if it is what envy wrote to the byte, and as its seal says.
pub(super) fn read(bytes: &[u8]) -> Option<Outcome> {
    let mut result = message::ActionResult::decode(bytes).ok()?;
    // What was added, or belongs to a field that nobody reads, is not in here.
    if result.encode_to_vec() != bytes {
        return None;
    }
    let seals = take_seals(&mut result);
    if seals == [seal(&result)] { said(result) } else { None }
}

/// What a result says of a build that succeeded.
fn said(result: message::ActionResult) -> Option<Outcome> {
    if result.exit_code != 0 {
        return None;
    }
    let tree = result.output_directories.into_iter().next()?.root_directory_digest?;
    let metadata = result.execution_metadata?.auxiliary_metadata;
    let provenance = metadata.into_iter().find(|any| any.type_url == PROVENANCE)?;
    Some(Outcome {
        tree: TreeDigest::from_hex(&tree.hash).ok()?,
        log: BlobDigest::from_hex(&result.stdout_digest?.hash).ok()?,
        provenance: serde_json::from_slice(&provenance.value).ok()?,
    })
}

/// The messages of the Remote Execution API that results are written as, with the fields that envy uses.
mod message {
    use crate::tree::message::Digest;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ActionResult {
        #[prost(message, repeated, tag = "3")]
        pub output_directories: Vec<OutputDirectory>,
        #[prost(int32, tag = "4")]
        pub exit_code: i32,
        #[prost(message, optional, tag = "6")]
        pub stdout_digest: Option<Digest>,
        #[prost(message, optional, tag = "9")]
        pub execution_metadata: Option<ExecutedActionMetadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct OutputDirectory {
        #[prost(string, tag = "1")]
        pub path: String,
        #[prost(message, optional, tag = "3")]
        pub tree_digest: Option<Digest>,
        #[prost(message, optional, tag = "5")]
        pub root_directory_digest: Option<Digest>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ExecutedActionMetadata {
        #[prost(message, repeated, tag = "11")]
        pub auxiliary_metadata: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Any {
        #[prost(string, tag = "1")]
        pub type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub value: Vec<u8>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn sample() -> (Encoded, Outcome) {
        let encoded = Tree::default().encode();
        let outcome = Outcome {
            tree: encoded.root,
            log: BlobDigest::of(b"log"),
            provenance: Provenance {
                package: "hello 1.0.0".into(),
                envy: "0.1.0".into(),
                sandbox: "namespaces".into(),
                toolchain: "1.95.0".into(),
                seconds: 0.5,
                needs: Needs { glibc: Some("2.34".into()), libraries: vec!["libgcc_s.so.1".into()], interpreter: None },
                made: Some(Made { time: "2026-01-01T00:00:00Z".into(), host: Some("box".into()), by: None }),
            },
        };
        (encoded, outcome)
    }

    #[test]
    fn an_outcome_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let (encoded, outcome) = sample();
        let action = ActionDigest::of(b"action");
        assert_eq!(store.outcome(action).unwrap(), None);
        store.put_outcome(action, &outcome, &encoded, 3).unwrap();
        assert_eq!(store.outcome(action).unwrap(), Some(outcome));
    }

    #[test]
    fn whichever_bit_is_flipped_it_is_no_result() {
        let (encoded, outcome) = sample();
        let bytes = write(&outcome, &encoded, 3);
        assert_eq!(read(&bytes), Some(outcome));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn what_was_added_to_a_result_makes_it_none() {
        let (encoded, outcome) = sample();
        // An unknown field of no bytes, and an exit code of nought, which is never written.
        for more in [&[0x7a, 0][..], &[0x20, 0]] {
            assert_eq!(read(&[&write(&outcome, &encoded, 3), more].concat()), None, "{more:?}");
        }
    }

    #[test]
    fn only_what_others_send_may_have_no_seal() {
        let (encoded, outcome) = sample();
        let sent = outcome.to_message(&encoded, 3, b"whole");
        assert_eq!(read(&sent), None);
        assert_eq!(Outcome::from_message(&sent), Some(outcome.clone()));
        let mut sealed = write(&outcome, &encoded, 3);
        assert_eq!(Outcome::from_message(&sealed), Some(outcome));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(Outcome::from_message(&sealed), None);
    }
}

//! Digests: sha256 of content, one type for each kind of content.
//!
//! Every name in the store, every pin and every output in a lockfile is one of these. The text form is
//! `sha256:` and 64 lowercase hexadecimal digits. The kinds are types, so that the digest of a tree can
//! never be handed where the digest of a file's bytes is meant.

mod commit;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher as StdHasher};
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;

pub use commit::{Commit, ParseCommitError};
use sha2::Digest as _;

/// A sha256 of content of the kind `K`.
pub struct Digest<K>([u8; 32], PhantomData<fn() -> K>);

/// Kind: the bytes of one file.
pub enum Blob {}
/// Kind: the canonical encoding of a tree's root directory.
pub enum Tree {}
/// Kind: the canonical encoding of an action.
pub enum Action {}
/// Kind: everything that one call of a compiler may read, and its arguments.
pub enum Unit {}
/// Kind: any other canonical text, such as a recipe with its params or a site's requirements.
pub enum Text {}

/// Names the bytes of one file.
pub type BlobDigest = Digest<Blob>;
/// Names a tree: its names, modes and contents.
pub type TreeDigest = Digest<Tree>;
/// Names an action: everything that one build may read, and what it runs.
pub type ActionDigest = Digest<Action>;
/// Names one call of a compiler, by all that it may read.
pub type UnitDigest = Digest<Unit>;
/// Names a canonical text.
pub type TextDigest = Digest<Text>;

const SCHEME: &str = "sha256:";

impl<K> Digest<K> {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(sha2::Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes, PhantomData)
    }

    /// Read 64 hexadecimal digits, without the scheme.
    pub fn from_hex(hex: &str) -> Result<Self, ParseDigestError> {
        let malformed = || ParseDigestError(hex.to_owned());
        if hex.len() != 64 {
            return Err(malformed());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let (high, low) = (nibble(pair[0]), nibble(pair[1]));
            *byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or_else(malformed)?;
        }
        Ok(Self::from_bytes(bytes))
    }

    /// The 64 hexadecimal digits, as store paths and build farms write them.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first twelve hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

impl TextDigest {
    /// Names a set of texts by the sum of their digests (AdHash: Bellare and Micciancio, "A new paradigm for
    /// collision-free hashing", 1997), so that one can be exchanged without knowing the others.
    pub fn of_set(texts: impl IntoIterator<Item = Self>) -> Self {
        texts.into_iter().fold(Self::from_bytes([0; 32]), Self::plus)
    }

    /// The set with what a change from one set to another added, and without what it took away.
    pub fn changed(self, from: Self, to: Self) -> Self {
        self.plus(to).plus(from.negated())
    }

    fn plus(self, other: Self) -> Self {
        let (mut sum, mut carry) = ([0; 32], 0);
        for at in (0..32).rev() {
            let digit = u16::from(self.0[at]) + u16::from(other.0[at]) + carry;
            [carry, sum[at]] = [digit >> 8, digit & 0xff];
        }
        Self::from_bytes(sum.map(|digit| u8::try_from(digit).expect("it is below 256")))
    }

    /// What comes to nothing with it.
    fn negated(self) -> Self {
        let mut one = [0; 32];
        one[31] = 1;
        Self::from_bytes(self.0.map(|byte| !byte)).plus(Self::from_bytes(one))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A text is not a digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not `sha256:` and 64 lowercase hexadecimal digits")]
pub struct ParseDigestError(String);

impl<K> FromStr for Digest<K> {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let hex = text.strip_prefix(SCHEME).ok_or_else(|| ParseDigestError(text.to_owned()))?;
        Self::from_hex(hex).map_err(|_| ParseDigestError(text.to_owned()))
    }
}

impl<K> fmt::Display for Digest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.hex())
    }
}

impl<K> fmt::Debug for Digest<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Derived impls would ask the same of `K`, which is never a value.
impl<K> Clone for Digest<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Digest<K> {}
impl<K> PartialEq for Digest<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Digest<K> {}
impl<K> PartialOrd for Digest<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Digest<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Digest<K> {
    fn hash<H: StdHasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Computes a digest while bytes stream by.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Add these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was added.
    pub fn finish<K>(self) -> Digest<K> {
        Digest::from_bytes(self.0.finalize().into())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_named_whatever_its_order_and_follows_changes() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|text| TextDigest::of(text.as_bytes()));
        let set = |texts: &[TextDigest]| TextDigest::of_set(texts.iter().copied());
        assert_eq!(set(&[a, b, c]), set(&[c, a, b]));
        assert_ne!(set(&[a, b]), set(&[a, c]));
        assert_eq!(set(&[a]), a);
        assert_eq!(set(&[a, c]).changed(set(&[a, b]), set(&[d, b])), set(&[d, c]));
        assert_eq!(set(&[]).changed(a, a), set(&[]));
    }

    #[test]
    fn text_form_reads_back() {
        let digest = BlobDigest::of(b"abc");
        assert_eq!(digest.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse::<BlobDigest>().unwrap(), digest);
    }

    #[test]
    fn other_texts_are_refused() {
        let upper = BlobDigest::of(b"abc").to_string().to_uppercase();
        for text in ["", "sha256:", "sha256:12", "ba7816bf", "md5:0", upper.as_str(), "sha256:é"] {
            assert!(text.parse::<BlobDigest>().is_err(), "{text}");
        }
    }

    #[test]
    fn streaming_gives_the_same_digest() {
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish::<Blob>(), BlobDigest::of(b"abc"));
    }
}

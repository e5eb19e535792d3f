//! Generations: a prefix with the configuration that goes with it, numbered and unchanging.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{Files, ShownFile};
use super::gate::Checks;
use super::{Error, Move, Note, Place};
use crate::digest::{TextDigest, TreeDigest};
use crate::disk;
use crate::package::PackageId;

/// One generation of a site, as `generation.json` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    schema: String,
    /// The site.
    pub site: String,
    /// Its number, from one.
    pub number: u64,
    /// When it was made, in UTC.
    pub created: String,
    /// What it runs on.
    pub platform: String,
    /// The tree of its prefix.
    #[serde(with = "text")]
    pub prefix: TreeDigest,
    /// Digest of the lockfile's text that it was made from.
    #[serde(with = "text")]
    pub lockfile: TextDigest,
    /// Digest of the configuration below.
    #[serde(with = "text")]
    pub config: TextDigest,
    /// Variables to set, with their placeholders.
    pub env: BTreeMap<String, String>,
    /// The values of the site's own placeholders.
    pub vars: BTreeMap<String, String>,
    /// Files of the site's own, by their paths in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, ShownFile>,
    /// What it has to pass before it is shown.
    #[serde(default, skip_serializing_if = "Checks::is_empty")]
    pub check: Checks,
    /// The generation of another site that it has its packages from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Promoted>,
    /// Who made it, from what, and why.
    #[serde(flatten)]
    pub note: Note,
    /// What is in it.
    pub packages: Vec<Member>,
}

/// What a site shows beside its packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Variables to set, with their placeholders.
    pub env: BTreeMap<String, String>,
    /// The values of the site's own placeholders.
    pub vars: BTreeMap<String, String>,
    /// Files of the site's own.
    pub files: Files,
}

impl Config {
    /// Names it.
    pub fn digest(&self) -> TextDigest {
        let mut config = serde_json::json!({ "env": self.env, "vars": self.vars });
        let files = self.files.shown();
        if !files.is_empty() {
            config["files"] = serde_json::to_value(files).expect("what is shown of files is plain data");
        }
        TextDigest::of(config.to_string().as_bytes())
    }
}

/// The generation of another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// The site.
    pub site: String,
    /// The generation.
    pub generation: u64,
}

/// One package of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The tree that was installed.
    #[serde(with = "text")]
    pub tree: TreeDigest,
    /// What vouches for it: `recorded`, `proven`, `new`, `unproven` or `unpinned`.
    pub origin: String,
    /// Where no lockfile pins its source, the tree that it was made from.
    #[serde(default, with = "optional", skip_serializing_if = "Option::is_none")]
    pub source: Option<TreeDigest>,
}

const SCHEMA: &str = "envy.generation/1";

/// The file that a generation's description is in.
pub(super) const DESCRIPTION: &str = "generation.json";
/// The copy of the lockfile that a generation was made from.
pub(super) const LOCKFILE: &str = "lockfile";

impl Generation {
    /// A generation to be added to a site, which gives it its number.
    pub fn new(site: &str, platform: &str, prefix: TreeDigest, lockfile: TextDigest) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            site: site.to_owned(),
            number: 0,
            created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            platform: platform.to_owned(),
            prefix,
            lockfile,
            config: Config::default().digest(),
            env: BTreeMap::new(),
            vars: BTreeMap::new(),
            files: BTreeMap::new(),
            check: Checks::default(),
            promoted: None,
            note: Note::default(),
            packages: Vec::new(),
        }
    }

    /// With this configuration.
    pub fn with_config(mut self, config: &Config) -> Self {
        self.config = config.digest();
        (self.env, self.vars) = (config.env.clone(), config.vars.clone());
        self.files = config.files.shown();
        self
    }

    /// With these checks.
    pub fn with_checks(mut self, checks: Checks) -> Self {
        self.check = checks;
        self
    }

    /// With who makes it, from what, and why.
    pub fn with_note(mut self, note: Note) -> Self {
        self.note = note;
        self
    }

    /// With these packages.
    pub fn with_packages(mut self, packages: Vec<Member>) -> Self {
        self.packages = packages;
        self
    }

    /// Whether another one shows the very same files and configuration.
    pub fn is_same_as(&self, other: &Self) -> bool {
        (self.prefix, self.config) == (other.prefix, other.config)
    }

    /// What it shows of a package, at this very version.
    pub fn member(&self, id: &PackageId) -> Option<&Member> {
        let (name, version) = (id.name.as_str(), id.version.to_string());
        self.packages.iter().find(|member| member.name == name && member.version == version)
    }
}

impl Place {
    /// Read a generation. One whose description is not as it was written, or is not there, is an error.
    pub fn generation(&self, number: u64) -> Result<Generation, Error> {
        let path = self.generation_path(number).join(DESCRIPTION);
        let (site, shown) = (|| self.name.clone(), || self.current_number() == Some(number));
        let Some(bytes) = disk::read_if_exists(&path)? else {
            return Err(match disk::is_directory(&self.generation_path(number)) {
                true => Error::Undescribed { site: site(), number, is_shown: shown() },
                false => Error::NoGeneration { site: site(), number, existing: self.numbers()? },
            });
        };
        let malformed = |source| Error::Malformed { site: site(), number, is_shown: shown(), source };
        let generation: Generation = serde_json::from_slice(&bytes).map_err(malformed)?;
        match is_as_sealed(&bytes) {
            true => Ok(generation),
            false => Err(Error::Damaged { site: site(), number, is_shown: shown() }),
        }
    }

    /// Begin the directory of a generation under a temporary name.
    pub(super) fn begin(&self, number: u64) -> Result<PathBuf, Error> {
        let temporary = self.generations().join(format!(".{number}"));
        disk::remove_tree(&temporary)?;
        disk::create_directory(&temporary, 0o755)?;
        Ok(temporary)
    }

    /// Add a generation: links to a ready prefix, files of the site's own, its description, and the lockfile it was made
    /// from. One that shows the same as the latest, and has the same to pass, is the latest.
    pub fn add_generation(
        &self,
        mut generation: Generation,
        prefix: &Path,
        lockfile: &str,
        files: &Files,
    ) -> Result<Generation, Error> {
        let latest = self.numbers()?.last().copied().unwrap_or(0);
        // A number that was shown before means that generation in the history, even where that is gone.
        // That a switch was undone changes nothing of that; what was refused was never shown.
        let lines = self.lines()?;
        let used = lines.iter().filter(|line| line.action != Move::Refuse).map(|line| line.to).max().unwrap_or(0);
        if let Ok(existing) = self.generation(latest)
            && existing.is_same_as(&generation)
            && existing.lockfile == generation.lockfile
            && existing.check == generation.check
            && self.links_into(&existing, prefix)
            && self.edited_files(&existing).is_empty()
        {
            return Ok(existing);
        }
        generation.number = latest.max(used) + 1;
        let temporary = self.begin(generation.number)?;
        files.lay_out(prefix, &temporary)?;
        disk::write_synced(&temporary.join(DESCRIPTION), sealed(&generation).as_bytes(), 0o444)?;
        disk::write_new(&temporary.join(LOCKFILE), lockfile.as_bytes(), 0o444)?;
        disk::rename(&temporary, &self.generation_path(generation.number))?;
        disk::sync_directory(&self.generations())?;
        Ok(generation)
    }
}

/// The text of a description, with the digest of all that it says, so that it can be told whether it is as it was written.
fn sealed(generation: &Generation) -> String {
    #[derive(Serialize)]
    struct Sealed<'a> {
        #[serde(flatten)]
        generation: &'a Generation,
        seal: &'a str,
    }
    let open = "0".repeat(SEAL_DIGITS);
    let sealed = Sealed { generation, seal: &format!("sha256:{open}") };
    let text = serde_json::to_string_pretty(&sealed).expect("a generation is plain data") + "\n";
    let at = text.rfind(SEAL).expect("it is written last") + SEAL.len();
    let seal = TextDigest::of(text.as_bytes()).hex();
    format!("{}{seal}{}", &text[..at], &text[at + SEAL_DIGITS..])
}

/// Whether a description is as it was sealed: its digest, with naughts for the digits of the seal itself, is what they say.
/// One that has no seal was written by an envy that made none.
fn is_as_sealed(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::rfind(text, SEAL.as_bytes()).map(|at| at + SEAL.len()) else { return true };
    let Some(digits) = text.get(at..at + SEAL_DIGITS) else { return false };
    let mut open = text.to_vec();
    open[at..at + SEAL_DIGITS].fill(b'0');
    TextDigest::of(&open).hex().as_bytes() == digits
}

/// What stands before the digits of a seal.
const SEAL: &str = "\"seal\": \"sha256:";
const SEAL_DIGITS: usize = 64;

impl Place {
    /// Remove a generation. Whoever dies in between leaves a temporary directory.
    pub fn remove_generation(&self, number: u64) -> Result<(), Error> {
        let temporary = self.generations().join(format!(".{number}"));
        disk::remove_tree(&temporary)?;
        if disk::is_directory(&self.generation_path(number)) {
            disk::rename(&self.generation_path(number), &temporary)?;
        }
        Ok(disk::remove_tree(&temporary)?)
    }
}

/// Digests in JSON are their text.
pub(super) mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::digest::Digest;

    pub fn serialize<K, S: Serializer>(digest: &Digest<K>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub fn deserialize<'de, K, D: Deserializer<'de>>(deserializer: D) -> Result<Digest<K>, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A digest that may be missing, as text.
mod optional {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::digest::Digest;

    pub fn serialize<K, S: Serializer>(digest: &Option<Digest<K>>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, K, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest<K>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

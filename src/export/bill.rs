//! What a site consists of: its packages, and every crate that their Cargo.locks name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::{BlobDigest, TextDigest};

/// A bill of materials.
#[derive(Clone, Debug)]
pub struct Bill {
    /// The site.
    pub site: String,
    /// The platform that it is for.
    pub platform: String,
    /// What tells of it: its lockfile, its prefix.
    pub properties: BTreeMap<String, String>,
    /// The components that the site itself asks for.
    pub asked: BTreeSet<String>,
    /// All components, by what names each in the bill.
    pub components: BTreeMap<String, Component>,
}

/// One thing that a site consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How the world names it.
    pub purl: String,
    /// What it is.
    pub role: Role,
    /// The licence, as it is written.
    pub licence: Option<String>,
    /// What it does, in a line.
    pub summary: Option<String>,
    /// Digest of the archive that it came as.
    pub archive: Option<BlobDigest>,
    /// Where its archive is.
    pub distribution: Option<String>,
    /// The repository that it came from.
    pub repository: Option<String>,
    /// Where its subject is at home.
    pub homepage: Option<String>,
    /// What else tells of it.
    pub properties: BTreeMap<String, String>,
    /// The components that it needs.
    pub needs: BTreeSet<String>,
}

/// What a component is to its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A package that the site asks for.
    Asked,
    /// A package that others need.
    Needed,
    /// A package that is there only while others are built.
    Tool,
    /// A crate that is compiled into a package.
    Crate,
}

impl Bill {
    /// What names the site in the bill.
    pub fn root(&self) -> String {
        format!("site:{}", self.site)
    }

    /// Put a component in. What is there already by this name needs what either needs.
    pub fn add(&mut self, name: String, component: Component) {
        match self.components.get_mut(&name) {
            Some(known) => {
                known.needs.extend(component.needs);
                known.licence = known.licence.take().or(component.licence);
            }
            None => drop(self.components.insert(name, component)),
        }
    }
}

/// A name for a document that is the same whenever its text is: a UUID of version 8, made of a digest.
pub fn uuid(digest: TextDigest) -> String {
    let hex = digest.hex();
    let variant = ["8", "9", "a", "b"][usize::from_str_radix(&hex[16..17], 16).unwrap_or(0) % 4];
    format!("{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_a_name_of_its_own() {
        let name = uuid(TextDigest::of(b"document"));
        assert_eq!(name, uuid(TextDigest::of(b"document")));
        assert_ne!(name, uuid(TextDigest::of(b"another")));
        let lengths: Vec<_> = name.split('-').map(str::len).collect();
        assert_eq!((lengths, &name[14..15]), (vec![8, 4, 4, 4, 12], "8"));
    }
}

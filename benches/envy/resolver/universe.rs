//! Packages with their versions and what each requires, all in memory: what the solvers are measured on.

use std::collections::BTreeMap;
use std::convert::Infallible;

use envy::package::{PackageId, PackageName, Range, Requirement, Version, VersionReq};
use envy::resolve::{Candidate, Index};

/// Everything there is.
#[derive(Clone, Default)]
pub struct Universe {
    pub packages: BTreeMap<PackageName, BTreeMap<Version, Vec<Requirement>>>,
    /// What the site asks for.
    pub roots: Vec<Requirement>,
}

impl Universe {
    /// Add a version with what it requires: names and ranges.
    pub fn add(&mut self, package: &str, version: Version, requires: &[(String, String)]) {
        let package = name(package);
        let by = format!("{package} {version}");
        let requires = requires.iter().map(|(what, range)| asks(&by, what, range)).collect();
        self.packages.entry(package).or_default().insert(version, requires);
    }

    /// Let the site ask for a package.
    pub fn ask(&mut self, what: &str, range: &str) {
        self.roots.push(asks("site `measured`", what, range));
    }
}

/// A name that is one.
pub fn name(text: &str) -> PackageName {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn asks(by: &str, what: &str, range: &str) -> Requirement {
    let versions: VersionReq = range.parse().unwrap_or_else(|error| panic!("`{range}`: {error}"));
    Requirement { name: name(what), versions: versions.into(), by: by.into() }
}

impl Index for Universe {
    type Error = Infallible;

    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Infallible> {
        let candidate = |version: &Version| Candidate { version: version.clone(), hidden: None };
        Ok(self.packages.get(name).map(|versions| versions.keys().map(candidate).collect()))
    }

    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Infallible> {
        Ok(self.packages[&id.name][&id.version].clone())
    }

    fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        Some(format!("{name} = \"{versions}\""))
    }

    fn owner(&self, _name: &PackageName) -> String {
        "crates.io".to_owned()
    }

    fn similar(&self, _name: &PackageName) -> Vec<String> {
        Vec::new()
    }
}

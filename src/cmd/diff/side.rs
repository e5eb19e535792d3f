//! One side of a comparison: a site's lockfile, a generation, a lockfile by its path, or a site's lockfile as it was
//! committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cmd::context::{Context, absolute};
use crate::cmd::project::{Project, config};
use crate::digest::{TextDigest, TreeDigest};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{self, Lockfile, Wishes};
use crate::package::{PackageName, SiteName};
use crate::platform::Platform;
use crate::site::{self, Config, Generation};
use crate::source::{RevisionError, file_at};
use crate::tree::Tree;

/// What somebody wants compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The lockfile of a site.
    Site(SiteName),
    /// The generation of a site that is current.
    Current(SiteName),
    /// A generation of a site.
    Generation(SiteName, u64),
    /// The lockfile of a site in a revision of the project's repository.
    Revision(SiteName, String),
    /// A lockfile.
    Path(PathBuf),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, at) = text.split_once('@').map_or((text, None), |(name, at)| (name, Some(at)));
        match (name.parse(), at) {
            // A text with an `@` in it may be a path as well, but then it can be written `./…`.
            (Ok(site), None) => Ok(Self::Site(site)),
            (Ok(site), Some("current")) => Ok(Self::Current(site)),
            (Ok(_), Some("")) => Err("after `@` stands a generation, `current`, or a revision of git".to_owned()),
            (Ok(site), Some(at)) => Ok(match at.parse() {
                Ok(number) if at.bytes().all(|byte| byte.is_ascii_digit()) => Self::Generation(site, number),
                _ => Self::Revision(site, at.to_owned()),
            }),
            (Err(_), _) if text.contains('/') || text.contains('.') => Ok(Self::Path(text.into())),
            (Err(error), _) => Err(error.to_string()),
        }
    }
}

impl Wanted {
    /// The site that it is about, if that can be told.
    pub fn site(&self) -> Option<&SiteName> {
        match self {
            Self::Site(site) | Self::Current(site) | Self::Generation(site, _) | Self::Revision(site, _) => Some(site),
            Self::Path(_) => None,
        }
    }
}

/// A lockfile, with what is known of it beside.
pub struct Side {
    /// How it was asked for.
    pub label: String,
    /// What it pins.
    pub lockfile: Lockfile,
    /// The generation that it is of.
    pub generation: Option<Generation>,
    /// The prefix that was made from it here, if the site shows that one.
    shown: Option<TreeDigest>,
    /// What the site shows beside its packages, where that can be told.
    pub config: Option<Config>,
    /// What `envy.toml` asks now of the site that it is of.
    pub wishes: Option<Wishes>,
}

impl Side {
    /// Read what is wanted.
    pub fn read(context: &Context<'_>, project: &Project, wanted: &Wanted) -> Result<Self, Failure> {
        match wanted {
            Wanted::Site(name) => Self::of_site(context, project, name),
            Wanted::Current(name) => {
                let number = project.place(name).current_number();
                let number = number.ok_or_else(|| site::Error::NotBuilt(name.clone()))?;
                Self::of_generation(context, project, name, number, format!("{name}@current"))
            }
            Wanted::Generation(name, number) => {
                Self::of_generation(context, project, name, *number, format!("{name}@{number}"))
            }
            Wanted::Revision(name, revision) => Self::of_revision(context, project, name, revision),
            Wanted::Path(path) => {
                let text = disk::read_text_if_exists(&absolute(path.clone())?)?;
                let missing = || {
                    Failure::new(Exit::Failed, format!("there is no lockfile `{}`", path.display()))
                        .hint("name a site, `SITE@3`, `SITE@HEAD~1`, or the path of a lockfile")
                };
                let text = text.ok_or_else(missing)?;
                Ok(Self::new(path.display().to_string(), Lockfile::parse(path, &text)?))
            }
        }
    }

    fn new(label: String, lockfile: Lockfile) -> Self {
        Self { label, lockfile, generation: None, shown: None, config: None, wishes: None }
    }

    fn of_site(context: &Context<'_>, project: &Project, name: &SiteName) -> Result<Self, Failure> {
        let site = project.site(name)?;
        let locked = project.locked(name)?.ok_or_else(|| Failure::not_locked(name))?;
        // A template that cannot be rendered is for `status` and `build` to tell.
        let config = project.config(site, &locked.lockfile).unwrap_or_else(|_| config(site));
        // A generation that cannot be read is for `verify` to tell.
        let current = project.place(name).current().ok().flatten();
        let current = current.filter(|current| current.lockfile == TextDigest::of(locked.text.as_bytes()));
        let shown = current.map(|generation| generation.prefix);
        let side = Self::new(name.to_string(), locked.lockfile);
        Ok(Self { config: Some(config), shown, ..side }.with_wishes(context, project, name))
    }

    fn of_generation(
        context: &Context<'_>,
        project: &Project,
        name: &SiteName,
        number: u64,
        label: String,
    ) -> Result<Self, Failure> {
        let place = project.place(name);
        if place.numbers()?.is_empty() {
            project.site(name)?;
        }
        let generation = place.generation(number)?;
        let path = place.generation_path(number).join("lockfile");
        // The one that a site begins with was made from no lockfile.
        let text = disk::read_text_if_exists(&path)?.filter(|text| !text.is_empty());
        let lockfile = match text {
            Some(text) => Lockfile::parse(&path, &text)?,
            None => Lockfile::empty(generation.lockfile),
        };
        let side = Self::new(label, lockfile);
        Ok(Self { generation: Some(generation), ..side }.with_wishes(context, project, name))
    }

    fn of_revision(context: &Context<'_>, project: &Project, name: &SiteName, revision: &str) -> Result<Self, Failure> {
        let path = Lockfile::relative_path(name);
        let label = format!("{name}@{revision}");
        let bytes = file_at(&project.root, revision, &path).map_err(|error| unread(&label, error))?;
        let missing = || {
            Failure::new(Exit::Failed, format!("revision `{revision}` has no lockfile `{}`", path.display()))
                .hint(format!("`git log --oneline -- {}` lists the revisions that changed it", path.display()))
        };
        let text = String::from_utf8(bytes.ok_or_else(missing)?)
            .map_err(|error| lock::Error::Malformed { path: label.clone().into(), source: error.into() })?;
        let side = Self::new(label.clone(), Lockfile::parse(Path::new(&label), &text)?);
        Ok(side.with_wishes(context, project, name))
    }

    /// With what is asked now: where that is what was locked, it tells the params.
    fn with_wishes(self, context: &Context<'_>, project: &Project, name: &SiteName) -> Self {
        let site = project.manifest.site(name);
        let wishes = site.and_then(|site| project.wishes(context, site, Some(&self.lockfile)).ok());
        Self { wishes, ..self }
    }

    /// The trees of a package's outputs, as far as they are known.
    pub fn outputs(&self, name: &PackageName) -> BTreeMap<Platform, BTreeSet<TreeDigest>> {
        let mut trees: BTreeMap<Platform, BTreeSet<TreeDigest>> = BTreeMap::new();
        for output in self.lockfile.packages.get(name).into_iter().flat_map(|package| &package.outputs) {
            trees.entry(output.platform).or_default().insert(output.tree);
        }
        let members = self.generation.iter().flat_map(|generation| &generation.packages);
        if let Some(member) = members.into_iter().find(|member| member.name == name.as_str()) {
            trees.insert(Platform::host(), BTreeSet::from([member.tree]));
        }
        trees
    }

    /// The tree of its prefix on this host: of a lockfile what was made from it here, or else what is recorded. Where it
    /// records several outputs of a package, what is made here need not be what was recorded last.
    pub fn prefix(&self) -> Option<TreeDigest> {
        match &self.generation {
            Some(generation) => Some(generation.prefix),
            None => self.shown.or_else(|| Some(self.lockfile.prefixes.get(&Platform::host())?.tree)),
        }
    }

    /// That tree, if the store has it.
    pub fn prefix_tree(&self, context: &Context<'_>) -> Result<Option<Tree>, Failure> {
        let Some(digest) = self.prefix() else { return Ok(None) };
        Ok(context.store()?.tree(digest)?)
    }

    /// The params that were chosen for a package, where that can be told: what is asked now is what was locked.
    pub fn params(&self, name: &PackageName) -> Option<BTreeMap<String, serde_json::Value>> {
        let (wish, package) = (self.wishes.as_ref()?.packages().get(name)?, self.lockfile.packages.get(name)?);
        let is_locked = wish.digest(&package.id.version) == package.recipe;
        let chosen = wish.recipe.chosen(&wish.params);
        is_locked.then(|| chosen.map(|(name, value)| (name.to_owned(), value.to_json())).collect())
    }
}

fn unread(label: &str, error: RevisionError) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("there is no `{label}`")).fact(error.to_string());
    match error {
        RevisionError::NoRepository(_) => {
            failure.hint("compare sites, generations (`SITE@3`) or lockfiles by their paths")
        }
        RevisionError::NoRevision { .. } => failure.hint("`git log --oneline` lists those there are"),
        RevisionError::Library { source, .. } => failure.fact(source.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_told_by_its_form() {
        let site = || "api".parse::<SiteName>().unwrap();
        let check = |text: &str, expected: Wanted| assert_eq!(text.parse::<Wanted>().unwrap(), expected, "{text}");
        check("api", Wanted::Site(site()));
        check("api@current", Wanted::Current(site()));
        check("api@12", Wanted::Generation(site(), 12));
        check("api@+12", Wanted::Revision(site(), "+12".into()));
        check("api@HEAD~2", Wanted::Revision(site(), "HEAD~2".into()));
        check("api@topic/main@{1}", Wanted::Revision(site(), "topic/main@{1}".into()));
        check("lockfiles/api.lock", Wanted::Path("lockfiles/api.lock".into()));
        check("api.lock", Wanted::Path("api.lock".into()));
        check("./a@b", Wanted::Path("./a@b".into()));
        for bad in ["", "api@", "-x", "a b"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}

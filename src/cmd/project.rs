//! The project that a command works on: its manifest, its lockfiles, its sites.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::commit;
use super::context::{Context, absolute};
use super::{sharing, undo};
use crate::build::Supplies;
use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{self, Drift, Lockfile, SharedDrift, Wishes, drift};
use crate::manifest::{Manifest, SandboxSetting, Site, Source};
use crate::package::{PackageName, SiteName, Version};
use crate::platform::Platform;
use crate::process;
use crate::recipe::{Book, Layer};
use crate::site::{Config, Files, Generation, Note, Place};
use crate::source::{Sources, is_dirty, look_at};
use crate::store::Held;

/// What a project's manifest is called.
pub const MANIFEST: &str = "envy.toml";

/// A directory with an `envy.toml`.
pub struct Project {
    pub root: PathBuf,
    pub text: String,
    pub manifest: Manifest,
    pub sites: PathBuf,
}

/// A lockfile as it is on disk.
pub struct Locked {
    pub text: String,
    pub lockfile: Lockfile,
}

impl Locked {
    /// Names its text.
    pub fn digest(&self) -> TextDigest {
        TextDigest::of(self.text.as_bytes())
    }
}

impl Project {
    /// The project in a directory, or else the nearest one above the current directory.
    pub fn find(asked: Option<&Path>, sites: Option<&Path>) -> Result<Self, Failure> {
        let missing = || {
            Failure::new(Exit::Failed, format!("there is no `{MANIFEST}` here or above"))
                .hint("run `envy init` to begin a project, or name one with `--project DIR`")
        };
        Self::find_if_any(asked, sites)?.ok_or_else(missing)
    }

    /// The same, where there need not be any project here.
    pub fn find_if_any(asked: Option<&Path>, sites: Option<&Path>) -> Result<Option<Self>, Failure> {
        let root = match asked {
            Some(directory) => absolute(directory.to_owned())?,
            None => match nearest()? {
                Some(directory) => directory,
                None => return Ok(None),
            },
        };
        Self::at(root, sites).map(Some)
    }

    fn at(root: PathBuf, sites: Option<&Path>) -> Result<Self, Failure> {
        // One project has one name, whichever links led here.
        let root = if disk::is_directory(&root) { disk::canonical(&root)? } else { root };
        undo::recover_if_abandoned(&root)?;
        let path = root.join(MANIFEST);
        let missing =
            || Failure::new(Exit::Failed, format!("there is no `{}`", path.display())).hint("run `envy init` there");
        let text = disk::read_text_if_exists(&path)?.ok_or_else(missing)?;
        let sites = match sites {
            Some(directory) if disk::is_directory(directory) => disk::canonical(directory)?,
            Some(directory) => as_if_there(&absolute(directory.to_owned())?)?,
            None => root.join(".envy/sites"),
        };
        Ok(Self { manifest: Manifest::parse(MANIFEST, &text)?, root, text, sites })
    }

    /// The same project with another text of its manifest, which is not written yet.
    pub fn edited(&self, text: String) -> Result<Self, Failure> {
        let manifest = Manifest::parse(MANIFEST, &text)?;
        Ok(Self { manifest, root: self.root.clone(), text, sites: self.sites.clone() })
    }

    /// Keep other processes from editing it. What was read before is read again, since it may have changed.
    pub fn hold(&mut self, context: &Context<'_>) -> Result<Held, Failure> {
        let state = self.root.join(".envy");
        disk::create_directories(&state)?;
        let what = format!("the project `{}`", self.root.display());
        let held = Held::take(&undo::lock(&self.root), &what, context.globals.patience(), context.ui)?;
        let lockfiles = self.root.join("lockfiles");
        let generated = disk::list_if_exists(&lockfiles)?.into_iter().map(|(name, _)| lockfiles.join(name));
        for directory in [self.root.clone(), lockfiles.clone(), state].into_iter().chain(generated) {
            disk::sweep(&directory)?;
        }
        // Nothing below is for version control.
        let ignore = self.root.join(".envy/.gitignore");
        if !disk::exists(&ignore) {
            disk::write_atomic(&ignore, b"*\n")?;
        }
        undo::recover(&self.root)?;
        *self = self.read_again()?;
        Ok(held)
    }

    /// The same project as it is now.
    pub fn read_again(&self) -> Result<Self, Failure> {
        Self::find(Some(&self.root), Some(&self.sites))
    }

    /// Whether its manifest, and a site's lockfile, are still the texts that were read.
    pub fn is_still(&self, site: &SiteName, lockfile: Option<&[u8]>) -> Result<bool, Failure> {
        // What a process that died was about to write was never meant to stay.
        undo::recover_if_abandoned(&self.root)?;
        let manifest = disk::read_if_exists(&self.root.join(MANIFEST))?;
        Ok(manifest.as_deref() == Some(self.text.as_bytes()) && self.lockfile_bytes(site)?.as_deref() == lockfile)
    }

    /// The bytes of a site's lockfile, whatever they are.
    pub fn lockfile_bytes(&self, site: &SiteName) -> Result<Option<Vec<u8>>, Failure> {
        Ok(disk::read_if_exists(&self.root.join(Lockfile::relative_path(site)))?)
    }

    /// The path of a directory from the project's, as `envy.toml` writes it.
    pub fn relative(&self, path: &Path) -> Result<String, Failure> {
        let path = disk::canonical(path)?;
        let shared = self.root.components().zip(path.components()).take_while(|(a, b)| a == b).count();
        let up = self.root.components().skip(shared).map(|_| "..".into());
        let down = path.components().skip(shared).map(|part| part.as_os_str().to_string_lossy());
        let parts: Vec<_> = up.chain(down).collect();
        Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
    }

    /// A site that the manifest has.
    pub fn site(&self, name: &SiteName) -> Result<&Site, Failure> {
        self.manifest.site(name).ok_or_else(|| {
            let failure = Failure::new(Exit::Failed, format!("there is no site `{name}` in `{MANIFEST}`"));
            match self.manifest.nearest_site(name.as_str()) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint(format!("run `envy create {name}`, or `envy list` to see those there are")),
            }
        })
    }

    /// The sites of these names, or all.
    pub fn sites(&self, names: &[SiteName]) -> Result<Vec<&Site>, Failure> {
        if names.is_empty() {
            return Ok(self.manifest.sites().collect());
        }
        names.iter().map(|name| self.site(name)).collect()
    }

    /// The sites that a change of one reaches: itself and those that extend it. A change of what every site has reaches all.
    pub fn reached(&self, changed: Option<&SiteName>) -> Result<Vec<&Site>, Failure> {
        let Some(name) = changed else { return self.sites(&[]) };
        let mut reached = vec![self.site(name)?];
        reached.extend(self.manifest.extending(name));
        Ok(reached)
    }

    /// What is asked of a site's packages: by the manifest, and by the packages themselves, as they are locked.
    pub fn wishes(&self, context: &Context<'_>, site: &Site, lockfile: Option<&Lockfile>) -> Result<Wishes, Failure> {
        let mut stated = lockfile.map(Lockfile::stated).unwrap_or_default();
        // What another version states than what is asked for now says nothing of that.
        let platforms = self.manifest.platforms();
        let fits = |name: &PackageName, version: &Version| {
            let mut asked = site.dependencies.iter().filter(|one| one.name == *name && one.is_for_any(platforms));
            match self.manifest.overrides().get(name) {
                Some(instead) => instead.versions.matches(version),
                None => asked.all(|one| one.versions.matches(version)),
            }
        };
        for (name, package) in lockfile.iter().flat_map(|lockfile| &lockfile.packages) {
            if package.pin.is_fixed() && !fits(name, &package.id.version) {
                stated.remove(name);
            }
        }
        // A site that asks for nothing needs no recipe.
        let book = if site.dependencies.is_empty() { Book::built_in() } else { self.book(context, lockfile)? };
        Ok(Wishes::of(&self.manifest, site, &book, &stated)?)
    }

    /// The recipes that it sees: its own, those that it shares with others, as a lockfile pins them, and envy's.
    pub fn book(&self, context: &Context<'_>, lockfile: Option<&Lockfile>) -> Result<Book, Failure> {
        let mut layers = vec![Layer::Project(self.root.join("recipes"))];
        layers.extend(sharing::layers(context, self, lockfile)?);
        layers.push(Layer::BuiltIn);
        Ok(Book::open(layers)?)
    }

    /// Where a site is.
    pub fn place(&self, site: &SiteName) -> Place {
        Place::new(&self.sites, &self.root, site)
    }

    /// A site's lockfile, if there is one.
    pub fn locked(&self, site: &SiteName) -> Result<Option<Locked>, Failure> {
        let path = Lockfile::relative_path(site);
        let Some(bytes) = self.lockfile_bytes(site)? else { return Ok(None) };
        let text = String::from_utf8(bytes)
            .map_err(|error| lock::Error::Malformed { path: path.clone(), source: error.into() })?;
        Ok(Some(Locked { lockfile: Lockfile::parse(&path, &text)?, text }))
    }

    /// Names the text of a site's lockfile, whatever it is.
    pub fn lockfile(&self, site: &SiteName) -> Option<TextDigest> {
        self.lockfile_bytes(site).ok().flatten().map(|bytes| TextDigest::of(&bytes))
    }

    /// How a lockfile differs from what is asked for.
    pub fn drift(&self, site: &SiteName, wishes: &Wishes, lockfile: &Lockfile) -> Vec<Drift> {
        let digest = |path: &Path| {
            let bytes = disk::read_if_exists(&self.root.join(path)).ok().flatten();
            bytes.map(|bytes| BlobDigest::of(&bytes))
        };
        drift(site, wishes, lockfile, digest)
    }

    /// What is asked of a site's packages, and every way in which its lockfile differs from that. Where it does not say which
    /// recipes are meant, that is all there is to tell.
    pub fn compare(
        &self,
        context: &Context<'_>,
        site: &Site,
        lockfile: &Lockfile,
    ) -> Result<(Option<Wishes>, Vec<Drift>), Failure> {
        let shared = sharing::drift(context, self, site, lockfile)?;
        let hidden = shared.iter().any(SharedDrift::hides_recipes);
        let mut drifts: Vec<_> = shared.into_iter().map(Drift::Shared).collect();
        if hidden {
            return Ok((None, drifts));
        }
        let wishes = self.wishes(context, site, Some(lockfile))?;
        drifts.extend(self.drift(&site.name, &wishes, lockfile));
        Ok((Some(wishes), drifts))
    }

    /// A site's lockfile that matches the manifest, or the failure that says how it does not.
    pub fn current_lock(&self, context: &Context<'_>, site: &Site) -> Result<(Wishes, Locked), Failure> {
        let locked = self.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?;
        match self.compare(context, site, &locked.lockfile)? {
            (Some(wishes), drifts) if drifts.is_empty() => Ok((wishes, locked)),
            (_, drifts) => Err(Failure::drift(&site.name, &drifts)),
        }
    }

    /// A site's lockfile, if there is one that matches the manifest.
    pub fn undrifted(&self, context: &Context<'_>, site: &Site) -> Result<Option<Locked>, Failure> {
        let Some(locked) = self.locked(&site.name)? else { return Ok(None) };
        let (_, drifts) = self.compare(context, site, &locked.lockfile)?;
        Ok(Some(locked).filter(|_| drifts.is_empty()))
    }

    /// What builds of a site's locked packages need, where all that was locked is written.
    pub fn supplies<'a, 's>(
        &'a self,
        context: &'a Context<'_>,
        site: &'a Site,
        wishes: &'a Wishes,
        lockfile: &'a Lockfile,
        sources: &'a Sources<'s>,
    ) -> Supplies<'a, 's> {
        static NONE: BTreeMap<PackageName, String> = BTreeMap::new();
        let (site, project, progress) = (&site.name, &self.root, context.ui);
        Supplies { sources, wishes, lockfile, site, project, generated: &NONE, progress }
    }

    /// The way in which builds are fenced.
    pub fn sandbox(&self) -> crate::build::sandbox::Setting {
        match self.manifest.sandbox() {
            SandboxSetting::Auto => crate::build::sandbox::Setting::Auto,
            SandboxSetting::Required => crate::build::sandbox::Setting::Required,
            SandboxSetting::Off => crate::build::sandbox::Setting::Off,
        }
    }

    /// Who does something now, and from which commit of the project.
    pub fn note(&self, message: Option<String>) -> Note {
        let by = process::variable("USER").or_else(|| process::variable("LOGNAME")).unwrap_or_else(process::user);
        Note { by: Some(by), host: process::host_name(), commit: commit::checked_out(&self.root), dirty: None, message }
    }

    /// The same of whoever makes something now, and whether the project differs from that commit.
    pub fn note_of_making(&self, message: Option<String>) -> Note {
        let note = self.note(message);
        // Only what is at a commit can differ from it.
        let dirty = note.commit.as_ref().and_then(|_| is_dirty(&self.root, &[MANIFEST, "lockfiles", "recipes"]));
        Note { dirty, ..note }
    }

    /// What a site shows beside the packages of a lockfile.
    pub fn config(&self, site: &Site, lockfile: &Lockfile) -> Result<Config, Failure> {
        let version =
            |(name, package): (&PackageName, &lock::Package)| (name.to_string(), package.id.version.to_string());
        let packages = lockfile.packages_for(Platform::host()).map(version).collect();
        let files = Files::render(&self.place(&site.name), site, &packages)?;
        Ok(Config { files, ..config(site) })
    }

    /// The generation that a site shows, if that is what its lockfile and configuration ask for, and all of it is there.
    pub fn converged(
        &self,
        context: &Context<'_>,
        site: &Site,
        locked: &Locked,
        config: &Config,
    ) -> Result<Option<Generation>, Failure> {
        let place = self.place(&site.name);
        let Ok(Some(current)) = place.current() else { return Ok(None) };
        let same = current.lockfile == locked.digest() && current.config == config.digest();
        let prefix = context.store()?.prefix_path(current.prefix);
        let linked = place.links_into(&current, &prefix);
        let whole = same
            && linked
            && !place.awaits_after_switch()
            && disk::is_directory(&prefix)
            && place.edited_files(&current).is_empty();
        if !whole || !self.changed_directories(context, site, &locked.lockfile, &current)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(current))
    }

    /// The packages of directories, which no lockfile pins, that are no longer what they were when a generation was made.
    pub fn changed_directories(
        &self,
        context: &Context<'_>,
        site: &Site,
        lockfile: &Lockfile,
        generation: &Generation,
    ) -> Result<Vec<PackageName>, Failure> {
        let packages = lockfile.packages_for(Platform::host()).map(|(_, package)| package);
        let unpinned: Vec<_> = packages.filter(|package| !package.pin.is_fixed()).collect();
        if unpinned.is_empty() {
            return Ok(Vec::new());
        }
        let (wishes, mut changed) = (self.wishes(context, site, Some(lockfile))?, Vec::new());
        for package in unpinned {
            let path = wishes.packages().get(&package.id.name).and_then(|wish| match &wish.source {
                Source::Path { path } => Some(path),
                _ => None,
            });
            let member = generation.packages.iter().find(|member| member.name == package.id.name.as_str());
            let is_same = match (path, member.and_then(|member| member.source)) {
                (Some(path), Some(made_from)) => {
                    let now = look_at(&self.root.join(path), &context.cache()?).map_err(crate::source::Error::from)?;
                    now.tree.digest() == made_from
                }
                _ => false,
            };
            if !is_same {
                changed.push(package.id.name.clone());
            }
        }
        Ok(changed)
    }
}

/// The configuration of a site without its files: its variables, and its placeholders as text.
pub fn config(site: &Site) -> Config {
    let vars = site.vars.iter().map(|(name, value)| (name.clone(), value.to_string()));
    Config { env: site.env.clone(), vars: vars.collect(), files: Files::default() }
}

/// The path that a directory will have once it is made, without symlinks: files of sites repeat it.
fn as_if_there(path: &Path) -> Result<PathBuf, Failure> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !disk::is_directory(path) => Ok(as_if_there(parent)?.join(name)),
        (Some(parent), None) if !disk::is_directory(path) => {
            // It ends in `..`.
            Ok(as_if_there(parent)?.parent().map(Path::to_owned).unwrap_or_default())
        }
        _ => Ok(disk::canonical(path)?),
    }
}

/// The nearest directory with a manifest, from the current one upwards.
fn nearest() -> Result<Option<PathBuf>, Failure> {
    let start = absolute(PathBuf::from("."))?;
    let found = start.ancestors().find(|directory| disk::is_file(&directory.join(MANIFEST)));
    // `.` at the end of a path would stand in every message.
    Ok(found.map(|found| found.components().collect()))
}

//! `envy add`

mod by_recipe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::committing::{Then, commit};
use super::context::Context;
use super::locking::{self, Moves};
use super::project::Project;
use super::{Jobs, LockMode, recipe};
use crate::build::{Toolchain, Wanted};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::index::CrateIndex;
use crate::lock::file_name;
use crate::manifest::Param;
use crate::manifest::edit::{self, NewDependency, Where};
use crate::package::{Cutoff, Cutoffs, PackageName, Requirement, SiteName, VersionReq};
use crate::platform::{Condition, ParseConditionError};
use crate::resolve::{self, Conflict, Fact, Problem, Strategy};

/// Arguments of `envy add`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Packages: NAME, or NAME@VERSION [default with a source: the name that the source suggests]
    #[arg(required_unless_present_any = ["source", "recipe"], value_name = "REQ")]
    requirements: Vec<Wanting>,
    /// For this site alone, instead of for every site
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    #[command(flatten)]
    from: From,
    /// Switch on these features of the packages
    #[arg(short = 'F', long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Leave the default feature of the packages off
    #[arg(long)]
    no_default_features: bool,
    /// Build these programs of the packages alone
    #[arg(long = "bin", value_name = "NAME")]
    bins: Vec<String>,
    /// Give a param of the recipe a value; of a list, its elements with commas between them, or one a time
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<by_recipe::Given>,
    /// Only on the platforms that this condition is true of, as in `os == "linux" and libc == "gnu"`
    #[arg(long, value_name = "CONDITION", value_parser = condition)]
    when: Option<String>,
    /// Stop after locking
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    jobs: Jobs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A condition as it is typed, if it is one.
fn condition(text: &str) -> Result<String, ParseConditionError> {
    Condition::parse(text).map(|condition| condition.to_string())
}

/// Where packages come from, if not from crates.io.
#[derive(Debug, clap::Args)]
#[group(id = "source", multiple = false)]
struct Source {
    /// From this git repository
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// From this directory
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// From this archive, `{version}`, `{os}` and `{arch}` in its address being replaced
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// From this registry of crates
    #[arg(long, value_name = "NAME")]
    registry: Option<String>,
}

/// Where packages come from, and which state of that.
#[derive(Debug, clap::Args)]
struct From {
    #[command(flatten)]
    source: Source,
    /// The versions that would do
    #[arg(long, value_name = "RANGE")]
    version: Option<String>,
    /// The repository's commit with this tag
    #[arg(long, value_name = "NAME", requires = "git", conflicts_with_all = ["branch", "rev"])]
    tag: Option<String>,
    /// The repository's newest commit of this branch
    #[arg(long, value_name = "NAME", requires = "git", conflicts_with = "rev")]
    branch: Option<String>,
    /// This commit of the repository
    #[arg(long, value_name = "ID", requires = "git")]
    rev: Option<String>,
    /// The directory in the repository or archive
    #[arg(long, value_name = "DIR", requires = "source")]
    subdir: Option<String>,
    /// Build what the source holds by this recipe; without a source, a package that recipes list: NAME, or NAME@VERSION
    #[arg(long, value_name = "NAME", conflicts_with = "registry")]
    recipe: Option<String>,
    /// Take versions no newer than this time, date or duration, or with `false` any, whatever the project says
    #[arg(long, value_name = "TIME")]
    exclude_newer: Option<String>,
    /// What the archive has to be
    #[arg(long, value_name = "DIGITS", requires = "url")]
    sha256: Option<String>,
}

/// A package as it is asked for on the command line.
#[derive(Clone, Debug)]
struct Wanting {
    name: PackageName,
    versions: Option<String>,
}

impl FromStr for Wanting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, versions) = text.split_once('@').map_or((text, None), |(name, versions)| (name, Some(versions)));
        if let Some(versions) = versions.filter(|text| crate::package::Version::loose(text).is_err()) {
            versions
                .parse::<VersionReq>()
                .map_err(|error| format!("`{versions}` is not a version or a range: {error}"))?;
        }
        let name = name.parse().map_err(|error: crate::package::ParseNameError| error.to_string())?;
        Ok(Self { name, versions: versions.map(str::to_owned) })
    }
}

/// Add requirements to the manifest, lock, build, and only then write it.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let mut project = context.project()?;
    let _held = project.hold(context)?;
    let table = match &args.site {
        Some(site) => Where::Site(&project.site(site)?.name),
        None => Where::Shared,
    };
    let mut text = project.text.clone();
    for (name, new) in additions(context, &project, args)? {
        text = edit::add_dependency(&text, table, &name, &new)?;
    }
    let edited = project.edited(text)?;
    let sites = edited.reached(args.site.as_ref())?;
    let then = if args.no_build { Then::Lock } else { Then::Build };
    let done = commit(context, &project, &edited, &sites, &Moves::Needed, then, args.jobs)?;
    if args.json {
        context.ui.json(&locking::of_sites("envy.add/1", done));
    }
    if sites.is_empty() {
        context.ui.note("there is no site yet that would have it; run `envy create SITE`");
    }
    Ok(())
}

/// What to write of each package.
fn additions(
    context: &Context<'_>,
    project: &Project,
    args: &Args,
) -> Result<Vec<(PackageName, NewDependency)>, Failure> {
    if args.from.is_listed() {
        return by_recipe::additions(&recipe::of_additions(context, project)?, args);
    }
    let source = args.from.keys(project)?;
    let params = match args.params.is_empty() {
        true => BTreeMap::new(),
        false => {
            by_recipe::typed(recipe::of_additions(context, project)?.get(args.from.usual_recipe())?, &args.params)?
        }
    };
    let versions = versions(context, project, args)?;
    let new = |(name, version)| (name, args.dependency(version, source.clone(), params.clone()));
    Ok(versions.into_iter().map(new).collect())
}

impl Args {
    fn dependency(
        &self,
        version: Option<String>,
        source: Vec<(&'static str, String)>,
        mut params: BTreeMap<String, Param>,
    ) -> NewDependency {
        if self.no_default_features {
            params.insert("no-default-features".to_owned(), Param::Bool(true));
        }
        if !self.bins.is_empty() {
            params.insert("bins".to_owned(), Param::List(self.bins.clone()));
        }
        let (exclude_newer, when) = (self.from.exclude_newer.clone(), self.when.clone());
        NewDependency { version, source, exclude_newer, when, features: self.features.clone(), params }
    }
}

impl From {
    /// The keys of the manifest that say the same.
    fn keys(&self, project: &Project) -> Result<Vec<(&'static str, String)>, Failure> {
        let Source { git, path, url, registry } = &self.source;
        let path = path.as_deref().map(|path| project.relative(path)).transpose()?;
        let keys = [
            ("git", git),
            ("path", &path),
            ("url", url),
            ("registry", registry),
            ("tag", &self.tag),
            ("branch", &self.branch),
            ("rev", &self.rev),
            ("subdir", &self.subdir),
            ("sha256", &self.sha256),
            ("recipe", &self.recipe),
        ];
        Ok(keys.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect())
    }

    /// The name that a source suggests, where none was typed.
    fn name(&self) -> Result<PackageName, Failure> {
        let Source { git, path, url, .. } = &self.source;
        let suggested = match (git, path, url) {
            (Some(url), ..) => {
                let last = file_name(url.trim_end_matches('/'));
                self.subdir.as_deref().map_or(last.trim_end_matches(".git"), file_name).to_owned()
            }
            (_, Some(path), _) => cargo_name(path).unwrap_or_else(|| directory_name(path)),
            (.., Some(url)) => stem(file_name(url)).to_owned(),
            _ => String::new(),
        };
        let unclear = |_| {
            Failure::new(Exit::Usage, "it is not clear what the package shall be called")
                .hint("type its name first: `envy add NAME …`")
        };
        suggested.parse().map_err(unclear)
    }

    /// The limits in force for what is added.
    fn cutoffs(&self, project: &Project) -> Result<Cutoffs, Failure> {
        let Some(limit) = self.exclude_newer.as_deref() else { return Ok(locking::project_cutoff(&project.manifest)) };
        if limit == "false" {
            return Ok(Cutoffs::default());
        }
        let cutoff = Cutoff::parse(limit).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        Ok(Cutoffs { all: Some(cutoff.at(jiff::Timestamp::now())), own: BTreeMap::new() })
    }

    /// Whether packages are meant that recipes list.
    fn is_listed(&self) -> bool {
        self.recipe.is_some() && !self.is_elsewhere()
    }

    /// The recipe that makes what comes from there.
    fn usual_recipe(&self) -> &str {
        let usual = if self.source.url.is_some() { "unpack" } else { "cargo" };
        self.recipe.as_deref().unwrap_or(usual)
    }

    fn is_elsewhere(&self) -> bool {
        self.source.git.is_some() || self.source.path.is_some() || self.source.url.is_some()
    }
}

/// What a file of an archive is called, without its version and ending.
fn stem(name: &str) -> &str {
    let end = name.find("{version}").or_else(|| {
        let digit = |(at, _): &(usize, &str)| name[at + 1..].starts_with(|c: char| c.is_ascii_digit());
        name.match_indices(['-', '_']).find(digit).map(|(at, _)| at)
    });
    let stem = end.map_or_else(|| name.split('.').next().unwrap_or(name), |end| &name[..end]);
    stem.trim_end_matches(['-', '_', '.', 'v'])
}

/// The name of the package that a directory's `Cargo.toml` is of.
fn cargo_name(directory: &Path) -> Option<String> {
    let text = disk::read_text_if_exists(&directory.join("Cargo.toml")).ok()??;
    let manifest: toml::Table = text.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}

fn directory_name(path: &Path) -> String {
    let path = disk::canonical(path).unwrap_or_else(|_| path.to_owned());
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The versions to write: as asked for, or of crates the highest that could be chosen now.
fn versions(
    context: &Context<'_>,
    project: &Project,
    args: &Args,
) -> Result<Vec<(PackageName, Option<String>)>, Failure> {
    let mut wanted = args.requirements.clone();
    if wanted.is_empty() {
        wanted.push(Wanting { name: args.from.name()?, versions: None });
    }
    for one in &mut wanted {
        one.versions = one.versions.take().or_else(|| args.from.version.clone());
    }
    if args.from.is_elsewhere() {
        return Ok(wanted.into_iter().map(|one| (one.name, one.versions)).collect());
    }
    let open: Vec<_> = wanted.iter().filter(|one| one.versions.is_none()).map(|one| one.name.clone()).collect();
    let chosen = if open.is_empty() { BTreeMap::new() } else { highest(context, project, args, &open)? };
    let version = |one: &Wanting| one.versions.clone().unwrap_or_else(|| chosen[&one.name].to_string());
    Ok(wanted.iter().map(|one| (one.name.clone(), Some(version(one)))).collect())
}

fn highest(
    context: &Context<'_>,
    project: &Project,
    args: &Args,
    names: &[PackageName],
) -> Result<BTreeMap<PackageName, crate::package::Version>, Failure> {
    let toolchain = Toolchain::find(Wanted::Any(project.manifest.toolchain()))?;
    let registry = args.from.source.registry.as_deref();
    let (nothing, cutoffs) = (BTreeMap::new(), args.from.cutoffs(project)?);
    context.with_sources(project, LockMode::default(), |sources| {
        let _busy = context.ui.busy(format!("asking {}", registry.unwrap_or("crates.io")));
        let index = CrateIndex::new(sources.registry(registry)?, &nothing, Some(toolchain.version));
        let index = index.with_cutoffs(cutoffs);
        index.prefetch(names)?;
        let any = |name: &PackageName| Requirement {
            name: name.clone(),
            versions: VersionReq::STAR.into(),
            by: "`envy add`".into(),
        };
        let requirements: Vec<_> = names.iter().map(any).collect();
        let problem = Problem { requirements: &requirements, preferred: &nothing, strategy: Strategy::Highest };
        let solved = resolve::solve(&problem, &index)?;
        solved.map(|chosen| chosen.packages).map_err(|conflict| not_had(&conflict))
    })
}

/// Nothing that could be chosen has one of the names.
fn not_had(conflict: &Conflict) -> Failure {
    let mut failure = Failure::new(Exit::NoSolution, "there is no version that could be added");
    for fact in conflict.facts.iter().filter(|fact| !matches!(fact, Fact::Requires { .. })) {
        failure.facts.push(fact.to_string());
        match fact {
            Fact::Unknown { similar, .. } => {
                failure.hints.extend(
                    similar.first().map(|similar| format!("run `envy add {similar}` if that is what you mean")),
                );
            }
            Fact::PrereleasesOnly { name, highest } => failure.hints.push(format!("run `envy add {name}@{highest}`")),
            _ => {}
        }
    }
    failure
}

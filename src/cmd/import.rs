//! `envy import`

mod record;
mod settling;

use std::path::{Path, PathBuf};

use super::build::{Unrecorded, Wish, bring};
use super::context::{Context, absolute};
use super::passing::warn;
use super::project::Project;
use super::showing::{How, Manner, Showing};
use super::vouching::Vouching;
use super::{Jobs, LockMode, undo};
use crate::build::Commits;
use crate::bundle::{self, Arrived};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::package::SiteName;
use crate::platform::Platform;
use crate::site::{Data, Place};
use crate::store::Held;
use settling::{Settled, settle};

/// Arguments of `envy import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle; `-` is the standard input
    file: PathBuf,
    /// The name that the site gets here [default: the one that it has]
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// Let the bundle's files take the place of others that nobody has imported
    #[arg(long)]
    replace: bool,
    /// Make the generation, but leave the site as it is
    #[arg(long)]
    no_switch: bool,
    /// Switch even a site that is held at a generation that somebody chose
    #[arg(long, conflicts_with = "no_switch")]
    switch: bool,
    /// Why, for the site's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Make a site out of a bundle. No socket is opened, and nothing is built.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    context.freeze();
    let arrived = receive(context, &args.file)?;
    require_platform(&arrived)?;
    let name = args.site.clone().unwrap_or_else(|| arrived.contents.site.clone());
    let mut new = New::default();
    let root = root(context, &mut new)?;
    let done = install(context, args, &root, &name, arrived, &mut new);
    if let Err(failure) = &done {
        // Whoever wants to know why a gate stayed closed reads its log there.
        new.remove(failure.exit == Exit::Refused);
    }
    done
}

/// Read the bundle, and prove it, before anything else is touched.
fn receive(context: &Context<'_>, file: &Path) -> Result<Arrived, Failure> {
    let store = context.store()?;
    if disk::is_directory(file) {
        return Err(Failure::new(Exit::Failed, format!("`{}` is a directory, and no bundle", file.display()))
            .hint("name the file that `envy bundle` wrote"));
    }
    let busy = context.ui.busy(format!("reading {}", file.display()));
    let arrived = match file.as_os_str() == "-" {
        true => bundle::receive(std::io::stdin().lock(), store),
        false => bundle::receive(disk::open(file)?, store),
    };
    drop(busy);
    arrived.map_err(|error| Failure::bundle(file, error))
}

fn require_platform(arrived: &Arrived) -> Result<(), Failure> {
    let (of, host) = (arrived.contents.platform, Platform::host());
    if of == host {
        return Ok(());
    }
    Err(Failure::new(Exit::Host, format!("the bundle is for {of}, and this host is {host}"))
        .hint(format!("write one on a host of {host}: `envy bundle {}`", arrived.contents.site)))
}

/// The project that the command is in, or else the directory that shall become one.
fn root(context: &Context<'_>, new: &mut New) -> Result<PathBuf, Failure> {
    if let Some(asked) = &context.globals.project {
        let asked = absolute(asked.clone())?;
        new.note(Path::new("/"), &asked.join("envy.toml"));
        disk::create_directories(&asked)?;
        return Ok(disk::canonical(&asked)?);
    }
    // The first look may put back what an import that was killed left half written, up to the manifest itself.
    match context.project_if_any().or_else(|_| context.project_if_any())? {
        Some(project) => Ok(project.root),
        None => Ok(disk::canonical(&absolute(PathBuf::from("."))?)?),
    }
}

fn install(
    context: &Context<'_>,
    args: &Args,
    root: &Path,
    name: &SiteName,
    mut arrived: Arrived,
    new: &mut New,
) -> Result<(), Failure> {
    new.note(root, &root.join(".envy/lock"));
    let _held = hold(context, root)?;
    let settled = settle(root, &arrived.contents, name, arrived.digest, args.replace)?;
    let place = place(context, root, name)?;
    let (before, is_here) = (place.current_number(), disk::exists(place.path()));
    arrived.keep(context.store()?).map_err(|error| Failure::bundle(&args.file, error))?;
    let Settled { writes, changed } = settled;
    writes.paths().for_each(|path| new.note(root, path));
    let written = writes.apply(root)?;
    let project = Project::find(Some(root), context.globals.sites_dir.as_deref())?;
    let site = project.site(name)?;
    keep_commits(context, &project, site, &arrived.contents.commits)?;
    let showing = match (args.switch, args.no_switch) {
        (true, _) => Showing::Always,
        (_, true) => Showing::Never,
        _ => Showing::UnlessHeld,
    };
    let mode = LockMode { locked: true, frozen: true };
    let manner = Manner::of_import(showing, is_here, args.message.clone());
    let vouching = Vouching::of(&project, false);
    let wish =
        Wish { mode, locked: true, unrecorded: Unrecorded::Leave, vouching, manner: &manner, jobs: Jobs::default() };
    let shown = bring(context, &project, site, &wish).inspect_err(|failure| {
        if !is_here && disk::exists(place.path()) {
            take_back(context, &place, failure);
        }
    })?;
    written.keep()?;
    let shown = shown.told()?;
    let now = place.current_number();
    if args.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.import/1",
            "site": name.as_str(),
            "contents": arrived.digest.to_string(),
            "sources": arrived.contents.sources,
            "generation": now,
            "changed": changed || now != before,
        }));
    }
    match shown.how {
        How::Converged if !changed => {
            context.ui.done("unchanged", format!("site `{name}` is at generation {}", shown.generation));
        }
        _ => context.ui.done("imported", format!("site `{name}` from `{}`", args.file.display())),
    }
    context.ui.detail(format!("contents {}", arrived.digest));
    Ok(())
}

/// Remove what was made of a site that was not here before. Whoever wants to know why its gate stayed closed reads its log.
fn take_back(context: &Context<'_>, place: &Place, failure: &Failure) {
    let removed = place.hold(context.globals.patience(), context.ui).and_then(|_held| match failure.exit {
        Exit::Refused => place.remove_but_logs(),
        _ => place.remove(Data::Keep),
    });
    let removed = removed.map_err(Failure::from).and_then(|()| Ok(context.store()?.remove_root(place.path())?));
    if let Err(error) = removed {
        warn(context, format!("not all of site `{}` could be taken back: {}", place.site(), error.outcome));
    }
}

/// Remember what the bundle has of commits, as far as the lockfile proves it. What it does not pin is somebody's lie.
fn keep_commits(context: &Context<'_>, project: &Project, site: &Site, commits: &Commits) -> Result<(), Failure> {
    if commits.is_empty() {
        return Ok(());
    }
    let (wishes, locked) = project.current_lock(context, site)?;
    context.with_sources(project, LockMode::default(), |sources| {
        let supplies = project.supplies(context, site, &wishes, &locked.lockfile, sources);
        let brought = supplies.brought(commits, Platform::host())?;
        if let Some(name) = commits.keys().find(|name| brought.iter().all(|one| one.name != **name)) {
            return Err(settling::senseless(format!(
                "it brings a commit as `{name}`, which its lockfile does not pin"
            )));
        }
        Ok(supplies.keep_brought(&brought)?)
    })
}

fn place(context: &Context<'_>, root: &Path, name: &SiteName) -> Result<Place, Failure> {
    let sites = context.globals.sites_dir.clone().map(absolute).transpose()?;
    Ok(Place::new(&sites.unwrap_or_else(|| root.join(".envy/sites")), root, name))
}

/// Keep other processes from editing the project, which need not be there yet.
fn hold(context: &Context<'_>, root: &Path) -> Result<Held, Failure> {
    let state = root.join(".envy");
    disk::create_directories(&state)?;
    let what = format!("the project `{}`", root.display());
    let held = Held::take(&undo::lock(root), &what, context.globals.patience(), context.ui)?;
    undo::recover(root)?;
    if !disk::exists(&state.join(".gitignore")) {
        disk::write_atomic(&state.join(".gitignore"), b"*\n")?;
    }
    Ok(held)
}

/// Directories that are not there yet, and go again if nothing comes of it.
#[derive(Default)]
struct New(Vec<PathBuf>);

impl New {
    /// Note what a file below a directory needs.
    fn note(&mut self, root: &Path, file: &Path) {
        let above = file.ancestors().skip(1).take_while(|above| above.starts_with(root) && *above != root);
        let missing: Vec<_> = above.filter(|above| !disk::exists(above)).map(Path::to_owned).collect();
        self.0.extend(missing);
    }

    /// Remove them, but logs where these are to stay. What somebody else has put into one stays; in `.envy` is nothing of
    /// anybody's.
    fn remove(mut self, but_logs: bool) {
        self.0.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for path in self.0 {
            let empty = disk::list_if_exists(&path).is_ok_and(|entries| entries.is_empty());
            if empty || (path.ends_with(".envy") && !but_logs) {
                // What resists is told by nobody: the failure that led here says more.
                let _ = disk::remove_tree(&path);
            }
        }
    }
}

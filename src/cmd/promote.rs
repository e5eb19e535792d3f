//! `envy promote`

mod asking;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::assembling::Assembled;
use super::committing::Writes;
use super::context::Context;
use super::locking::Proposal;
use super::passing::Gating;
use super::project::Project;
use super::sharing;
use super::showing::{How, Manner, Showing, Shown, ready};
use super::site_files::refuse_what_is_in_the_way;
use super::switch::{self, Choosing};
use super::vouching::Vouching;
use crate::digest::{BlobDigest, TextDigest};
use crate::disk;
use crate::failure::{Exit, Failure};
use crate::lock::{Difference, Drift, Lockfile, drift};
use crate::manifest::Site;
use crate::package::{PackageName, SiteName};
use crate::site::{Error, Generation, Move, Promoted};
use crate::tree::Tree;

/// Arguments of `envy promote`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site whose current generation is promoted
    from: SiteName,
    /// The site that gets its packages
    to: SiteName,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    how: Choosing,
}

/// What a site shows, to be shown by another one.
struct Offer {
    generation: Generation,
    /// The text of the lockfile that it was made from.
    text: String,
    lockfile: Lockfile,
    tree: Tree,
}

/// Give a site the packages that another one shows, bit by bit. Nothing is resolved, fetched or built.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    context.freeze();
    let mut project = context.project()?;
    let _held = if args.dry_run { None } else { Some(project.hold(context)?) };
    let (from, to) = (project.site(&args.from)?, project.site(&args.to)?);
    if from.name == to.name {
        return Err(Failure::new(Exit::Usage, format!("site `{}` cannot be promoted to itself", from.name))
            .hint(format!("name another site: `envy promote {} SITE`", from.name)));
    }
    let offer = offered(context, &project, from)?;
    let generated = generated(context, &project, from, to, &offer.lockfile)?;
    let drifts = drifts(context, &project, to, &offer.lockfile, &generated)?;
    if !drifts.is_empty() {
        let failure = not_asked_for(from, to, &offer.generation, &drifts);
        return Err(failure.hint(what_helps(context, &project, from, to)?));
    }
    let old = project.locked(&to.name)?.map(|locked| locked.lockfile);
    let lockfile = old.as_ref().map_or_else(|| offer.lockfile.clone(), |old| offer.lockfile.in_place_of(old));
    // What nothing was added to stays the text that it is, to the byte.
    let text = if lockfile == offer.lockfile { offer.text.clone() } else { lockfile.text() };
    Vouching::of(&project, false).require_generation(to, &lockfile, &offer.generation)?;
    let config = project.config(to, &lockfile)?;
    let members = offer.generation.packages.clone();
    refuse_what_is_in_the_way(context.store()?, to, &config.files, &offer.tree, &members)?;
    tell(context, args, &offer.generation, old.as_ref(), &lockfile);
    if args.dry_run {
        let asked = (TextDigest::of(text.as_bytes()), config.digest());
        return foretell(context, &project, args, &offer.generation, asked);
    }
    let assembled = Assembled { tree: offer.tree, members, config, lockfile };
    let promoted = Promoted { site: from.name.to_string(), generation: offer.generation.number };
    let ready = ready(context, &project, to, &assembled, &text)?.promoted_from(promoted);
    let proposal = Proposal { lockfile: assembled.lockfile.clone(), generated, old };
    let mut writes = Writes::default();
    writes.lockfile_of(&project, &to.name, &text, &proposal);
    let written = writes.apply(&project.root)?;
    let (showing, gating) = (Showing::Always, Gating::unless(args.how.no_check));
    let (action, message) = (Move::Promote, args.how.message.clone());
    let manner = Manner { action, ..Manner::of_build(showing, gating, message) };
    let shown = ready.show(context, &project, &manner)?;
    written.keep()?;
    let shown = shown.told()?;
    if args.how.json {
        context.ui.json(&document(args, &offer.generation, &shown));
    }
    Ok(())
}

/// What a site shows, if all of it is here.
fn offered(context: &Context<'_>, project: &Project, from: &Site) -> Result<Offer, Failure> {
    let place = project.place(&from.name);
    let generation = place.current()?.ok_or_else(|| Error::NotBuilt(from.name.clone()))?;
    switch::require_whole(context, &place, &generation)?;
    let path = place.generation_path(generation.number).join("lockfile");
    let damaged = || {
        let what = format!("the lockfile of generation {} of site `{}`", generation.number, from.name);
        Failure::new(Exit::Verification, format!("{what} is not as it was written"))
            .fact(format!("expected {}", generation.lockfile))
            .hint(format!("run `envy verify {} --repair`", from.name))
    };
    let text = place.lockfile_of(generation.lockfile)?.ok_or_else(damaged)?;
    if text.is_empty() {
        let outcome = format!("generation {} of site `{}` was made from no lockfile", generation.number, from.name);
        return Err(Failure::new(Exit::Failed, outcome).hint(format!("run `envy build {}` first", from.name)));
    }
    let lockfile = Lockfile::parse(&path, &text)?;
    let missing = || {
        let outcome = format!("the prefix of site `{}` is not whole in the store", from.name);
        let hint = format!("run `envy build {}`, which makes it again", from.name);
        Failure::new(Exit::Failed, outcome).fact(format!("prefix {}", generation.prefix)).hint(hint)
    };
    let tree = context.store()?.tree(generation.prefix)?.ok_or_else(missing)?;
    Ok(Offer { generation, text, lockfile, tree })
}

/// The Cargo.locks that were made for packages and belong to a lockfile, wherever they still are.
fn generated(
    context: &Context<'_>,
    project: &Project,
    from: &Site,
    to: &Site,
    lockfile: &Lockfile,
) -> Result<BTreeMap<PackageName, String>, Failure> {
    let mut texts = BTreeMap::new();
    for package in lockfile.packages.values().filter(|package| package.has_generated()) {
        let (name, wanted) = (&package.id.name, package.crates.as_ref().map(|crates| crates.digest));
        let is_it = |text: &String| Some(BlobDigest::of(text.as_bytes())) == wanted;
        let places = [from, to].map(|site| Lockfile::generated_path(&site.name, name));
        let beside = places.iter().filter_map(|path| disk::read_text_if_exists(&project.root.join(path)).ok()?);
        let stored = wanted.and_then(|digest| String::from_utf8(context.store().ok()?.read_blob(digest).ok()?).ok());
        let found = beside.chain(stored).find(is_it);
        let missing = || {
            let path = places[0].display();
            Failure::new(
                Exit::Lockfile,
                format!("`{path}` is not the Cargo.lock that site `{}` was built with", from.name),
            )
            .hint(format!("restore it from git, or run `envy build {}` first", from.name))
        };
        texts.insert(name.clone(), found.ok_or_else(missing)?);
    }
    Ok(texts)
}

/// How a lockfile is not what a site asks for, with these Cargo.locks beside it.
fn drifts(
    context: &Context<'_>,
    project: &Project,
    to: &Site,
    lockfile: &Lockfile,
    generated: &BTreeMap<PackageName, String>,
) -> Result<Vec<Drift>, Failure> {
    let shared = sharing::drift(context, project, to, lockfile)?;
    if !shared.is_empty() {
        return Ok(shared.into_iter().map(Drift::Shared).collect());
    }
    let beside: BTreeMap<PathBuf, &String> =
        generated.iter().map(|(name, text)| (Lockfile::generated_path(&to.name, name), text)).collect();
    let digest = |path: &Path| match beside.get(path) {
        Some(text) => Some(BlobDigest::of(text.as_bytes())),
        None => disk::read_if_exists(&project.root.join(path)).ok().flatten().map(|bytes| BlobDigest::of(&bytes)),
    };
    let wishes = project.wishes(context, to, Some(lockfile))?;
    Ok(drift(&to.name, &wishes, lockfile, digest))
}

fn not_asked_for(from: &Site, to: &Site, generation: &Generation, drifts: &[Drift]) -> Failure {
    let outcome = format!(
        "generation {} of site `{}` is not what site `{}` asks for, and nothing was promoted",
        generation.number, from.name, to.name
    );
    let asked = asking::differences(from, to);
    let facts = if asked.is_empty() { drifts.iter().map(ToString::to_string).collect() } else { asked };
    Failure::new(Exit::Failed, outcome).facts(facts)
}

/// What can be done where a site does not ask for what another one shows.
fn what_helps(context: &Context<'_>, project: &Project, from: &Site, to: &Site) -> Result<String, Failure> {
    let (from_name, place) = (&from.name, project.place(&from.name));
    if !asking::differences(from, to).is_empty() {
        return Ok(format!(
            "let both ask for the same packages in `envy.toml`, such as by a site that both extend; `envy diff {} {from_name}` says more",
            to.name
        ));
    }
    let build = if switch::is_held(context, project, from, &place)? {
        format!(
            "site `{from_name}` is held there; put `envy.toml` back to what it was then, or run `envy build {from_name} --switch` first"
        )
    } else {
        format!("`envy.toml` changed since it was made; run `envy build {from_name}` first")
    };
    Ok(build)
}

/// Say what is promoted, and what moves by it.
fn tell(context: &Context<'_>, args: &Args, generation: &Generation, old: Option<&Lockfile>, new: &Lockfile) {
    let verb = if args.dry_run { "would promote" } else { "promoting" };
    let what = format!("generation {} of site `{}` to site `{}`", generation.number, args.from, args.to);
    context.ui.done(verb, what);
    let none = Lockfile::empty(new.requirements);
    for line in Difference::between(old.unwrap_or(&none), new).lines() {
        context.ui.detail(line);
    }
}

fn foretell(
    context: &Context<'_>,
    project: &Project,
    args: &Args,
    generation: &Generation,
    (lockfile, config): (TextDigest, TextDigest),
) -> Result<(), Failure> {
    let (place, prefix) = (project.place(&args.to), context.store()?.prefix_path(generation.prefix));
    let current = place.current().ok().flatten();
    let asked = (generation.prefix, lockfile, config);
    let is_same = current.as_ref().is_some_and(|one| {
        (one.prefix, one.lockfile, one.config) == asked
            && place.links_into(one, &prefix)
            && place.edited_files(one).is_empty()
    });
    match (&current, is_same) {
        (Some(current), true) => {
            context.ui.detail(format!("its generation {} shows that already", current.number));
        }
        (Some(current), false) if current.prefix != generation.prefix => {
            context.ui.detail(format!("prefix {} -> {}", current.prefix, generation.prefix));
        }
        _ => context.ui.detail(format!("prefix {}", generation.prefix)),
    }
    if args.how.json {
        let (how, before) = (if is_same { How::Unchanged } else { How::Switched }, current.map(|one| one.number));
        let site = args.to.clone();
        let shown = Shown { site, how, before, generation: generation.number, prefix: generation.prefix, untold: None };
        let mut document = document(args, generation, &shown);
        document["dry-run"] = true.into();
        document["generation"] = serde_json::Value::Null;
        context.ui.json(&document);
    }
    Ok(())
}

fn document(args: &Args, generation: &Generation, shown: &Shown) -> serde_json::Value {
    let mut document = shown.to_json();
    document["schema"] = "envy.promote/1".into();
    document["from"] = serde_json::json!({
        "site": args.from.as_str(),
        "generation": generation.number,
        "prefix": generation.prefix.to_string(),
    });
    document
}

//! `envy push`

use std::collections::BTreeSet;

use super::caching::{Caching, result, tell_pushed};
use super::context::Context;
use super::options::SitesArgs;
use super::project::Project;
use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::remote::{Built, Reading};

/// Arguments of `envy push`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: SitesArgs,
    /// Read all that the cache has of it, and send again what is damaged there
    #[arg(long)]
    check: bool,
}

/// Send all outputs that lockfiles record and that are here.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let caching = Caching::open(context, &project)?;
    let remote = caching.require()?;
    if caching.may_push() == Some(false) {
        return Err(Failure::new(Exit::Failed, format!("nothing is sent to `{}`", remote.shown()))
            .fact("your configuration says `push = false`")
            .hint("take it out of `~/.config/envy/config.toml`, or set `ENVY_REMOTE_PUSH=1`"));
    }
    let (mut built, mut known) = (Vec::new(), BTreeSet::new());
    for site in project.sites(&args.which.sites)? {
        built.extend(recorded(context, &project, site, &mut known)?);
    }
    let busy = context.ui.busy(format!("sending to {}", remote.shown()));
    let reading = if args.check { Reading::Bytes } else { Reading::Sizes };
    let pushed =
        remote.push(&built, context.store()?, reading).map_err(|error| Failure::cache(&remote.shown(), error))?;
    drop(busy);
    if args.which.json {
        context.ui.json(&serde_json::json!({
            "schema": "envy.push/1",
            "cache": remote.shown(),
            "outputs": built.len(),
            "sent": { "things": pushed.things, "bytes": pushed.bytes },
        }));
        return Ok(());
    }
    if pushed.things == 0 {
        let count = crate::ui::count(built.len(), "output");
        context.ui.done("unchanged", format!("`{}` has all that is here ({count})", remote.shown()));
    } else {
        tell_pushed(context, remote, built.len(), pushed);
    }
    Ok(())
}

/// The recorded outputs of a site that are here, for whatever platform.
fn recorded(
    context: &Context<'_>,
    project: &Project,
    site: &Site,
    known: &mut BTreeSet<crate::digest::TreeDigest>,
) -> Result<Vec<Built>, Failure> {
    let store = context.store()?;
    let (_, locked) = project.current_lock(context, site)?;
    let mut built = Vec::new();
    for (name, package) in &locked.lockfile.packages {
        let mut is_here = false;
        for output in &package.outputs {
            let Some(tree) = store.whole_tree(output.tree)? else { continue };
            is_here = true;
            if known.insert(output.tree) {
                built.push(result(store, output.action, tree));
            }
        }
        if !is_here && !package.outputs.is_empty() {
            context.ui.note(format!("no output of `{name}` is here, so none is sent"));
        }
    }
    Ok(built)
}

//! `envy diff`

mod compared;
mod document;
mod side;
mod telling;

use self::compared::Compared;
use self::side::{Side, Wanted};
use self::telling::Files;
use super::context::Context;
use super::project::Project;
use crate::failure::{Exit, Failure};

/// Arguments of `envy diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// What to compare from
    #[arg(value_name = "A")]
    from: Wanted,
    /// What to compare to [default: the lockfile of that site; of a site alone, from its current generation]
    #[arg(value_name = "B")]
    to: Option<Wanted>,
    /// Name each file of the prefix that was added, removed or changed
    #[arg(long)]
    files: bool,
    /// Count the files of the prefix that were added, removed and changed (default)
    #[arg(long, conflicts_with = "files")]
    stat: bool,
    /// End with 1 where there is a difference, and with 0 where there is none
    #[arg(long)]
    exit_code: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const NOTES: &str = "\
What can be compared:
  SITE             the lockfile of a site
  SITE@3           a generation; `SITE@current` is the one that is current
  SITE@HEAD~1      the lockfile of a site in a revision of git: a branch, a tag, a commit
  a/path.lock      a lockfile";

/// Say how sites, generations and lockfiles differ. Nobody is asked for anything.
pub fn run(context: &Context<'_>, args: &Args) -> Result<u8, Failure> {
    context.freeze();
    let project = context.project()?;
    let (from, to) = sides(args)?;
    let of_one_site = from.site().is_some() && from.site() == to.site();
    let (from, to) = (Side::read(context, &project, &from)?, Side::read(context, &project, &to)?);
    let (before, now) = (from.prefix_tree(context)?, to.prefix_tree(context)?);
    let compared = Compared::new(&from, &to, before.as_ref().zip(now.as_ref()), of_one_site);
    let files = if args.files { Files::Listed } else { Files::Counted };
    if args.json {
        context.ui.json(&document::of(&compared, files));
    } else {
        tell(context, &project, &compared, files);
    }
    Ok(u8::from(args.exit_code && !compared.is_same()))
}

/// What is compared with what. A site alone is compared from what it shows; what is of a site, to its lockfile.
fn sides(args: &Args) -> Result<(Wanted, Wanted), Failure> {
    match (&args.from, &args.to) {
        (from, Some(to)) => Ok((from.clone(), to.clone())),
        (Wanted::Site(site), None) => Ok((Wanted::Current(site.clone()), Wanted::Site(site.clone()))),
        (from, None) => match from.site() {
            Some(site) => Ok((from.clone(), Wanted::Site(site.clone()))),
            None => Err(Failure::new(Exit::Usage, "a lockfile is compared with something else, which is not named")
                .hint("name it: `envy diff old.lock SITE`")),
        },
    }
}

fn tell(context: &Context<'_>, project: &Project, compared: &Compared<'_>, files: Files) {
    if compared.is_same() {
        let prefix = compared.from.prefix().filter(|digest| compared.to.prefix() == Some(*digest));
        let prefix = prefix.map(|digest| format!(": both are prefix {digest}")).unwrap_or_default();
        let (from, to) = (&compared.from.label, &compared.to.label);
        context.ui.note(format!("no difference between `{from}` and `{to}`{prefix}"));
        return;
    }
    context.ui.result(&telling::text(compared, files));
    if compared.files.is_none() && (compared.other_prefix() || files == Files::Listed) {
        for side in [compared.from, compared.to] {
            tell_missing(context, project, side);
        }
    }
}

/// Say why the files of a side are not compared.
fn tell_missing(context: &Context<'_>, project: &Project, side: &Side) {
    let why = match side.prefix() {
        None => "no prefix of it is recorded",
        Some(_) if side.prefix_tree(context).is_ok_and(|tree| tree.is_some()) => return,
        Some(_) => "its prefix is not in the store",
    };
    let build = project.manifest.sites().find(|site| site.name.as_str() == side.label);
    let hint = build.map(|site| format!("; `envy build {}` makes it", site.name)).unwrap_or_default();
    context.ui.note(format!("files of `{}` are not compared: {why}{hint}", side.label));
}

//! `envy why`

mod file;

use std::fmt::Write as _;

use super::context::Context;
use super::project::Project;
use super::tree::commit;
use crate::failure::{Exit, Failure};
use crate::lock::{Chain, Graph, Lockfile, Wishes};
use crate::manifest::{Site, nearest};
use crate::package::{PackageName, Requirement, SiteName};
use crate::platform::Platform;
use crate::recipe::Purpose;

/// Arguments of `envy why`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site
    site: SiteName,
    /// A package, or a path in the site's prefix, as in `bin/rg`
    #[arg(value_name = "NAME|PATH")]
    what: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How many ways from the site to a package are told.
const CHAINS: usize = 10;

/// Say why a package or a file is in a site, and where it came from.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let project = context.project()?;
    let site = project.site(&args.site)?;
    let locked = project.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?.lockfile;
    let name = args.what.parse().ok().filter(|name| locked.packages.contains_key::<PackageName>(name));
    let mut documents = Vec::new();
    let mut text = String::new();
    match name {
        Some(name) => {
            let reasons = Reasons::of(context, &project, site, &locked, &name)?;
            text.push_str(&reasons.text());
            documents.push(reasons.document());
        }
        None => {
            let found = file::find(context, &project, site, &args.what)?.ok_or_else(|| unknown(&args.what, &locked))?;
            text.push_str(&found.text());
            let mut document = found.document();
            let owners = found.packages.iter().filter(|name| found.lockfile.packages.contains_key(*name));
            let reasons = owners.map(|name| Reasons::of(context, &project, site, &found.lockfile, name));
            let reasons = reasons.collect::<Result<Vec<_>, _>>()?;
            reasons.iter().for_each(|reasons| text.push_str(&reasons.text()));
            document["packages"] = reasons.iter().map(Reasons::document).collect();
            documents.push(document);
        }
    }
    match args.json {
        true => context.ui.json(&serde_json::json!({
            "schema": "envy.why/1", "site": site.name.as_str(), "what": args.what, "found": documents,
        })),
        false => context.ui.result(&text),
    }
    Ok(())
}

fn unknown(what: &str, locked: &Lockfile) -> Failure {
    let failure = Failure::new(Exit::Failed, format!("there is no package and no file `{what}` in the site"));
    match nearest(what, locked.packages.keys().map(PackageName::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`envy tree` lists the packages; paths begin in the prefix, as in `bin/rg`"),
    }
}

/// A package of a lockfile, with all that led to it.
struct Reasons<'l> {
    lockfile: &'l Lockfile,
    name: PackageName,
    site: String,
    wishes: Wishes,
    chains: Vec<Chain<'l>>,
}

impl<'l> Reasons<'l> {
    fn of(
        context: &Context<'_>,
        project: &Project,
        site: &Site,
        lockfile: &'l Lockfile,
        name: &PackageName,
    ) -> Result<Self, Failure> {
        let wishes = project.wishes(context, site, Some(lockfile))?;
        let graph = Graph::new(lockfile, site.dependencies.iter().map(|one| &one.name));
        let chains = graph.chains(name, CHAINS);
        Ok(Self { lockfile, name: name.clone(), site: site.name.to_string(), wishes, chains })
    }

    /// What there is to know about the package itself, with its titles.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let package = &self.lockfile.packages[&self.name];
        let host = Platform::host();
        let mut facts = vec![("source", package.source.clone())];
        facts.extend(commit(&package.pin).map(|commit| ("commit", commit)));
        facts.extend(package.pin.archive(host).map(|unpacked| ("archive", unpacked.archive.to_string())));
        facts.extend(package.pin.tree(host).map(|tree| ("tree", tree.to_string())));
        if let Some(wish) = self.wishes.packages().get(&self.name) {
            let recipe = &wish.recipe;
            let extends = recipe.extends().iter().map(|one| format!(", which extends `{one}`")).collect::<String>();
            facts.push(("recipe", format!("`{}`{extends}", recipe.name())));
            let chosen: Vec<_> =
                recipe.chosen(&wish.params).map(|(name, value)| format!("{name} = {}", value.to_json())).collect();
            facts.extend((!chosen.is_empty()).then(|| ("params", chosen.join(", "))));
        }
        let outputs = self.lockfile.outputs(&self.name, host);
        facts.extend(outputs.map(|output| ("output", format!("{} of action {}", output.tree, output.action))));
        facts
    }

    /// What is required of a package by whoever stands before it; what an override says, it says for everyone.
    fn required(&self, name: &PackageName, by: Option<&PackageName>) -> String {
        let of_package = by.map(|by| self.wishes.needs_of(by)).unwrap_or_default();
        let is_asked = |one: &Requirement| one.name == *name;
        let asked = match of_package.into_iter().filter(is_asked).collect::<Vec<_>>() {
            none if none.is_empty() => self.wishes.asked().into_iter().filter(is_asked).collect(),
            asked => asked,
        };
        asked.iter().map(|one| one.versions.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// A way from the site to the package, step by step: package, what is required of it, and what for.
    fn steps(&self, chain: &Chain<'_>) -> Vec<(String, String, bool)> {
        let before = std::iter::once(None).chain(chain.iter().map(|(name, _)| Some(*name)));
        let step = |((name, purpose), by): (&(&PackageName, Purpose), Option<&PackageName>)| {
            let id = self.lockfile.packages[*name].id.to_string();
            (id, self.required(name, by), *purpose == Purpose::Build)
        };
        chain.iter().zip(before).map(step).collect()
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.lockfile.packages[&self.name].id);
        for (title, fact) in self.facts() {
            writeln!(text, "  {title:<8} {fact}").expect("a string takes everything");
        }
        if self.chains.is_empty() {
            text.push_str("  nobody requires it any more\n");
        }
        for chain in &self.chains {
            let steps = self.steps(chain).into_iter().map(|(id, required, build)| {
                let required = if required.is_empty() { required } else { format!(" ({required})") };
                format!(" -> {id}{required}{}", if build { " [build]" } else { "" })
            });
            writeln!(text, "  required {}{}", self.site, steps.collect::<String>()).expect("a string takes everything");
        }
        text
    }

    fn document(&self) -> serde_json::Value {
        let package = &self.lockfile.packages[&self.name];
        let chain = |chain: &Chain<'_>| {
            let step = |(id, required, build): (String, String, bool)| serde_json::json!({ "package": id, "requires": required, "build": build });
            self.steps(chain).into_iter().map(step).collect::<serde_json::Value>()
        };
        let facts: serde_json::Map<_, _> =
            self.facts().into_iter().map(|(title, fact)| (title.to_owned(), fact.into())).collect();
        serde_json::json!({
            "name": self.name.as_str(),
            "version": package.id.version.to_string(),
            "facts": facts,
            "chains": self.chains.iter().map(chain).collect::<Vec<_>>(),
        })
    }
}

//! `envy why`

mod file;
mod located;
mod making;
mod named;
mod parts;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::context::Context;
use super::project::Project;
use super::tree::commit;
use crate::build::Steps;
use crate::failure::{Exit, Failure};
use crate::lock::{Chain, Graph, Lockfile, Output, Wish, Wishes};
use crate::manifest::{Site, nearest};
use crate::package::{PackageName, Requirement, SiteName};
use crate::platform::Platform;
use crate::recipe::Purpose;
use making::{Making, Shown};

/// Arguments of `envy why`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site; or, with nothing after it, a package of any site of the project, or the path of anything that a site or the
    /// store has
    #[arg(value_name = "SITE|NAME|PATH")]
    site: String,
    /// A package, or a path in the site's prefix, as in `bin/rg`
    #[arg(value_name = "NAME|PATH")]
    what: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How many ways from the site to a package are told.
const CHAINS: usize = 10;

/// Say why a package or a file is in a site, and where it came from.
pub fn run(context: &Context<'_>, args: &Args) -> Result<(), Failure> {
    let Some(what) = &args.what else { return located::run(context, &args.site, args.json) };
    let name: SiteName = args.site.parse().map_err(|error| {
        Failure::new(Exit::Usage, format!("{error}")).hint("name a site first, and then a package or a path in it")
    })?;
    let project = context.project()?;
    let site = project.site(&name)?;
    let locked = project.locked(&site.name)?.ok_or_else(|| Failure::not_locked(&site.name))?.lockfile;
    let place = project.place(&site.name);
    let shown = place.current().ok().flatten().map(|current| Shown::of(&place, current)).transpose()?;
    let name = what.parse().ok().filter(|name| locked.packages.contains_key::<PackageName>(name));
    let mut documents = Vec::new();
    let mut text = String::new();
    match name {
        Some(name) => {
            let reasons = Reasons::of(context, Some((&project, site)), &site.name, &locked, &name, shown.as_ref())?;
            text.push_str(&reasons.text());
            documents.push(reasons.document());
        }
        None => {
            let shown = shown.ok_or_else(|| crate::site::Error::NotBuilt(site.name.clone()))?;
            let path = file::in_prefix(site, what);
            let found = file::find(context, &place, &shown.generation, &path)?.ok_or_else(|| unknown(what, &locked))?;
            documents.push(with_owners(context, Some((&project, site)), &site.name, &found, &shown, &mut text)?);
        }
    }
    match args.json {
        true => context.ui.json(&serde_json::json!({
            "schema": "envy.why/1", "site": site.name.as_str(), "what": what, "found": documents,
        })),
        false => context.ui.result(&text),
    }
    Ok(())
}

/// What there is to say about a file, and about each package that has it.
fn with_owners(
    context: &Context<'_>,
    project: Option<(&Project, &Site)>,
    site: &SiteName,
    found: &file::Found,
    shown: &Shown,
    text: &mut String,
) -> Result<serde_json::Value, Failure> {
    text.push_str(&found.text());
    let mut document = found.document();
    let owners = found.packages.iter().filter(|name| found.lockfile.packages.contains_key(*name));
    let reasons = owners.map(|name| Reasons::of(context, project, site, &found.lockfile, name, Some(shown)));
    let reasons = reasons.collect::<Result<Vec<_>, _>>()?;
    reasons.iter().for_each(|reasons| text.push_str(&reasons.text()));
    document["packages"] = reasons.iter().map(Reasons::document).collect();
    Ok(document)
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
    /// What the project asks for, where that is what the lockfile was made from.
    wishes: Option<Wishes>,
    chains: Vec<Chain<'l>>,
    /// How it was made, and when a site came to show it.
    making: Making,
}

impl<'l> Reasons<'l> {
    fn of(
        context: &Context<'_>,
        project: Option<(&Project, &Site)>,
        site: &SiteName,
        lockfile: &'l Lockfile,
        name: &PackageName,
        shown: Option<&Shown>,
    ) -> Result<Self, Failure> {
        let wishes = project.map(|(project, site)| project.wishes(context, site, Some(lockfile))).transpose()?;
        let asked = project.map(|(_, site)| site.dependencies.iter().map(|one| &one.name).collect::<Vec<_>>());
        let graph = Graph::new(lockfile, asked.unwrap_or_default());
        let chains = graph.chains(name, CHAINS);
        let making = Making::of(context.store()?, &lockfile.packages[name].id, lockfile, shown)?;
        Ok(Self { lockfile, name: name.clone(), site: site.to_string(), wishes, chains, making })
    }

    /// What the project asks of the package, where that is what was locked.
    fn wish(&self) -> Option<&Wish> {
        let package = &self.lockfile.packages[&self.name];
        let wish = self.wishes.as_ref()?.packages().get(&self.name)?;
        Some(wish).filter(|wish| wish.digest(&package.id.version) == package.recipe)
    }

    /// How it is built, where that is known. What cannot be rendered is for the build to tell.
    fn build_steps(&self) -> Steps {
        let id = &self.lockfile.packages[&self.name].id;
        self.wish().and_then(|wish| Steps::of(id, wish, Platform::host()).ok()).unwrap_or_default()
    }

    /// What there is to know about the package itself, with its titles.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let package = &self.lockfile.packages[&self.name];
        let host = Platform::host();
        let mut facts = vec![("source", package.source.clone())];
        facts.extend(commit(&package.pin).map(|commit| ("commit", commit)));
        facts.extend(package.pin.archive(host).map(|unpacked| ("archive", unpacked.archive.to_string())));
        facts.extend(package.pin.tree(host).map(|tree| ("tree", tree.to_string())));
        if let Some(wish) = self.wish() {
            let recipe = &wish.recipe;
            let extends = recipe.extends().iter().map(|one| format!(", which extends `{one}`")).collect::<String>();
            facts.push(("recipe", format!("`{}`{extends}", recipe.name())));
            let chosen: Vec<_> =
                recipe.chosen(&wish.params).map(|(name, value)| format!("{name} = {}", value.to_json())).collect();
            facts.extend((!chosen.is_empty()).then(|| ("params", chosen.join(", "))));
            let Steps { variables, scripts } = self.build_steps();
            facts.extend(variables.into_iter().map(|(name, value)| ("env", format!("{name}={value}"))));
            facts.extend(scripts.into_iter().map(|(name, script)| ("step", format!("{name}: {script}"))));
        } else {
            facts.push(("recipe", package.recipe.to_string()));
        }
        let outputs = self.lockfile.outputs(&self.name, host);
        facts.extend(outputs.map(|output| ("output", format!("{} of action {}", output.tree, output.action))));
        facts.extend(self.making.facts());
        facts
    }

    /// What is required of a package by whoever stands before it; what an override says, it says for everyone.
    fn required(&self, name: &PackageName, by: Option<&PackageName>) -> String {
        let Some(wishes) = &self.wishes else { return String::new() };
        let of_package = by.map(|by| wishes.needs_of(by)).unwrap_or_default();
        let is_asked = |one: &Requirement| one.name == *name;
        let asked = match of_package.into_iter().filter(is_asked).collect::<Vec<_>>() {
            none if none.is_empty() => wishes.asked().into_iter().filter(is_asked).collect(),
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
            // The further lines of a step stand below its first.
            let name = if title == "step" { fact.find(": ").map_or(0, |end| end + 2) } else { 0 };
            let line =
                |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("\n{:1$}{line}", "", 11 + name) };
            let further = fact.lines().skip(1).map(line).collect::<String>();
            let fact = format!("{}{further}", fact.lines().next().unwrap_or_default());
            writeln!(text, "  {title:<9}{fact}").expect("a string takes everything");
        }
        if self.chains.is_empty() && self.wishes.is_some() {
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
        // What there is several of, as outputs and steps, stands in lines.
        let facts = self.facts().into_iter().fold(BTreeMap::new(), |mut facts, (title, fact)| {
            facts.entry(title).and_modify(|lines: &mut String| *lines += &format!("\n{fact}")).or_insert(fact);
            facts
        });
        let Steps { variables, scripts } = self.build_steps();
        let step = |(name, run): (String, String)| serde_json::json!({ "name": name, "run": run });
        let output = |output: &Output| serde_json::json!({ "action": output.action.to_string(), "tree": output.tree.to_string() });
        serde_json::json!({
            "name": self.name.as_str(),
            "version": package.id.version.to_string(),
            "facts": facts,
            "environment": variables.into_iter().collect::<BTreeMap<_, _>>(),
            "steps": scripts.into_iter().map(step).collect::<Vec<_>>(),
            "outputs": self.lockfile.outputs(&self.name, Platform::host()).map(output).collect::<Vec<_>>(),
            "built": self.making.built(),
            "chains": self.chains.iter().map(chain).collect::<Vec<_>>(),
        })
    }
}

//! What a generation has beside what packages provide: files of the site's own, and of envy's.

use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::site::{Files, Member, OWN_NAMES};
use crate::store::Store;
use crate::tree::Tree;

/// Refuse packages that have something where every generation has a file for itself.
fn refuse_own_names(store: &Store, site: &Site, prefix: &Tree, members: &[Member]) -> Result<(), Failure> {
    let Some(name) = OWN_NAMES.into_iter().find(|name| prefix.get(name).is_some()) else { return Ok(()) };
    let owner = owner(store, site, name, members)?;
    let package = owner.split(' ').next().unwrap_or_default();
    let outcome = format!("`{name}` of {owner} lies where every generation of a site has a file for itself");
    Err(Failure::new(Exit::Failed, outcome).hint(format!(
        "let its recipe install it elsewhere, as in `share/{package}/{name}`, or leave it out: \
         `{package} = {{ …, without = [\"{name}\"] }}` in `envy.toml`"
    )))
}

/// Refuse what cannot lie beside each other: what packages have, files of the site's own, and envy's.
pub fn refuse_what_is_in_the_way(
    store: &Store,
    site: &Site,
    files: &Files,
    prefix: &Tree,
    members: &[Member],
) -> Result<(), Failure> {
    refuse_own_names(store, site, prefix, members)?;
    let both = files.in_the_way(prefix);
    let Some(first) = both.first() else { return Ok(()) };
    let owners = both.iter().map(|one| owner(store, site, &one.provided, members)).collect::<Result<Vec<_>, _>>()?;
    let package = owners[0].split(' ').next().unwrap_or_default();
    let outcome = match &both[..] {
        [only] => format!("file `{}` of site `{}` lies where a package has something", only.path, site.name),
        more => format!("{} files of site `{}` lie where packages have something", more.len(), site.name),
    };
    let facts = both.iter().zip(&owners).map(|(one, owner)| format!("`{}` is provided by {owner}", one.provided));
    Err(Failure::new(Exit::Failed, outcome).facts(facts).hint(format!(
        "give the file another path, or leave that out: `{package} = {{ …, without = [\"{}\"] }}` in `envy.toml`",
        first.provided
    )))
}

/// The package that provides a path, by its name and version.
fn owner(store: &Store, site: &Site, path: &str, members: &[Member]) -> Result<String, Failure> {
    for member in members {
        let leaves_it_out = site
            .dependencies
            .iter()
            .any(|asked| asked.name.as_str() == member.name && asked.without.iter().any(|without| without == path));
        let tree = store.whole_tree(member.tree)?;
        if !leaves_it_out && tree.is_some_and(|tree| tree.get(path).is_some()) {
            return Ok(format!("{} {}", member.name, member.version));
        }
    }
    Ok("its prefix".to_owned())
}

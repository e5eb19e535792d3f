//! Files of a site's own, seen beside what its packages provide.

use crate::failure::{Exit, Failure};
use crate::manifest::Site;
use crate::site::{Files, InTheWay, Member};
use crate::store::Store;
use crate::tree::Tree;

/// Refuse files that lie where a package has something.
pub fn refuse_what_is_in_the_way(
    store: &Store,
    site: &Site,
    files: &Files,
    prefix: &Tree,
    members: &[Member],
) -> Result<(), Failure> {
    let both = files.in_the_way(prefix);
    let Some(first) = both.first() else { return Ok(()) };
    let owners = both.iter().map(|one| owner(store, site, one, members)).collect::<Result<Vec<_>, _>>()?;
    let package = owners[0].split(' ').next().unwrap_or_default();
    let outcome = match &both[..] {
        [only] => format!("file `{}` of site `{}` lies where a package has something", only.path, site.name),
        more => format!("{} files of site `{}` lie where packages have something", more.len(), site.name),
    };
    let fact = |(one, owner): (&InTheWay, &String)| format!("`{}` is provided by {owner}", one.provided);
    Err(Failure::new(Exit::Failed, outcome).facts(both.iter().zip(&owners).map(fact)).hint(format!(
        "give the file another path, or leave that out: `{package} = {{ …, without = [\"{}\"] }}` in `envy.toml`",
        first.provided
    )))
}

/// The package that provides a path, by its name and version.
fn owner(store: &Store, site: &Site, one: &InTheWay, members: &[Member]) -> Result<String, Failure> {
    for member in members {
        let leaves_it_out = site
            .dependencies
            .iter()
            .any(|asked| asked.name.as_str() == member.name && asked.without.contains(&one.provided));
        let tree = store.whole_tree(member.tree)?;
        if !leaves_it_out && tree.is_some_and(|tree| tree.get(&one.provided).is_some()) {
            return Ok(format!("{} {}", member.name, member.version));
        }
    }
    Ok("its prefix".to_owned())
}

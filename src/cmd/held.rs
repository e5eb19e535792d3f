//! Sites that are held at a generation that somebody chose.

use super::context::Context;
use crate::failure::{Exit, Failure};
use crate::site::Place;

/// Make the prefix of the generation that a site shows again, where it is gone and the store has what it takes.
pub fn keep_showing(context: &Context<'_>, place: &Place) -> Result<(), Failure> {
    let (store, site) = (context.store()?, place.site());
    let Some(current) = place.current()? else { return Ok(()) };
    if store.has_prefix(current.prefix)? {
        return Ok(());
    }
    let Some(tree) = store.whole_tree(current.prefix)? else {
        let number = current.number;
        return Err(Failure::new(
            Exit::Failed,
            format!("site `{site}` is held at generation {number}, whose files are no longer in the store"),
        )
        .fact(format!("prefix {}", current.prefix))
        .hint(format!("run `envy build {site} --switch`, which builds what the lockfile says and shows that")));
    };
    store.materialise(&tree)?;
    context.ui.done("made", format!("the files of generation {} of site `{site}` again", current.number));
    Ok(())
}

//! A package by its name alone, in whichever sites of the project have it.

use super::Reasons;
use super::located::site_line;
use super::making::Shown;
use crate::cmd::context::Context;
use crate::failure::Failure;
use crate::package::PackageName;

/// Say why a package is in each site that has it. Whether any has.
pub(super) fn run(context: &Context<'_>, asked: &str, json: bool) -> Result<bool, Failure> {
    let Ok(name) = asked.parse::<PackageName>() else { return Ok(false) };
    let Some(project) = context.project_if_any()? else { return Ok(false) };
    let (mut text, mut documents) = (String::new(), Vec::new());
    for site in project.manifest.sites() {
        let Some(locked) = project.locked(&site.name)?.filter(|one| one.lockfile.packages.contains_key(&name)) else {
            continue;
        };
        let place = project.place(&site.name);
        let shown = place.current().ok().flatten().map(|current| Shown::of(&place, current)).transpose()?;
        let project = Some((&project, site));
        let reasons = Reasons::of(context, project, &site.name, &locked.lockfile, &name, shown.as_ref())?;
        text.push_str(&reasons.text());
        text.push_str(&site_line(&place));
        let mut document = reasons.document();
        document["site"] = site.name.as_str().into();
        documents.push(document);
    }
    match (documents.is_empty(), json) {
        (true, _) => return Ok(false),
        (false, true) => context.ui.json(&serde_json::json!({
            "schema": "envy.why/1",
            "site": documents.first().filter(|_| documents.len() == 1).map(|only| only["site"].clone()),
            "what": asked,
            "found": documents,
        })),
        (false, false) => context.ui.result(&text),
    }
    Ok(true)
}

//! A site's packages as data.

use std::collections::BTreeSet;

use super::Seen;
use super::drawing::params;
use crate::lock::{Package, Pin};
use crate::package::PackageName;
use crate::platform::{Platform, Platforms};
use crate::recipe::Purpose;

/// What a site asks for, and these of its packages.
pub fn of(seen: &Seen<'_>, shown: &BTreeSet<&PackageName>) -> serde_json::Value {
    let package = |name: &&PackageName| {
        let (name, package) = (*name, &seen.lockfile.packages[*name]);
        let wish = seen.wishes.packages().get(name);
        let requirements = wish.into_iter().flat_map(|wish| &wish.requirements);
        let outputs: Vec<_> = package.outputs.iter().map(|output| {
            serde_json::json!({ "platform": output.platform.to_string(), "action": output.action.to_string(), "tree": output.tree.to_string() })
        }).collect();
        serde_json::json!({
            "name": name.as_str(),
            "version": package.id.version.to_string(),
            "source": package.source,
            "archive": package.pin.archive(Platform::host()).map(|unpacked| unpacked.archive.to_string()),
            "commit": commit(&package.pin),
            "pinned": package.pin.is_fixed(),
            "params": params(wish).into_iter().collect::<serde_json::Map<_, _>>(),
            "required-by": requirements.map(|one| format!("{} {}", one.by, one.versions)).collect::<Vec<_>>(),
            "dependencies": names(&package.dependencies),
            "build-dependencies": names(&package.build_dependencies),
            "platforms": package.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "needed-on": needed_on(package),
            "installed": seen.wishes.is_installed(name, Platform::host()),
            "outputs": outputs,
        })
    };
    let asked: BTreeSet<_> = seen.site.dependencies.iter().map(|one| &one.name).collect();
    serde_json::json!({
        "site": seen.site.name.as_str(),
        "requires": names(asked),
        "packages": shown.iter().map(package).collect::<Vec<_>>(),
    })
}

/// What a package needs on some of its platforms alone.
fn needed_on(package: &Package) -> Vec<serde_json::Value> {
    let one = |((purpose, name), on): (&(Purpose, PackageName), &Platforms)| {
        let platforms: Vec<_> = on.iter().map(ToString::to_string).collect();
        serde_json::json!({ "name": name.as_str(), "build": *purpose == Purpose::Build, "platforms": platforms })
    };
    package.needed_on.iter().map(one).collect()
}

fn names<'n>(names: impl IntoIterator<Item = &'n PackageName>) -> Vec<&'n str> {
    names.into_iter().map(PackageName::as_str).collect()
}

/// The commit that a pin names.
pub fn commit(pin: &Pin) -> Option<String> {
    match pin {
        Pin::Git { commit, .. } => Some(commit.to_string()),
        Pin::Crate(_) | Pin::Archive(_) | Pin::Archives(_) | Pin::Path | Pin::Nothing => None,
    }
}

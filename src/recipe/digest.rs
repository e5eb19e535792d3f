//! The digest of a recipe: whatever could change what it does, and no words about it. Pure.

use serde_json::json;

use super::{Params, Recipe};
use crate::digest::TextDigest;
use crate::package::Version;
use crate::source::Patch;

impl Recipe {
    /// Names this recipe with these params, those of what it extends included; for a version that it lists, with what it
    /// says of that version alone. The source of a version is not in it: a lockfile pins that by itself.
    pub fn digest(&self, params: &Params, version: Option<&Version>) -> TextDigest {
        let steps: Vec<_> = self.steps.iter().map(|step| (&step.name, &step.run)).collect();
        let parts = self.parts.iter().map(|(platform, part)| {
            let set: serde_json::Map<_, _> =
                part.set.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
            json!({ "platform": platform.map(|one| one.to_string()), "tools": part.tools, "set": set })
        });
        let needs = self.dependencies.iter().map(|one| (one, "run"));
        let needs = needs.chain(self.build_dependencies.iter().map(|one| (one, "build")));
        let needs = needs.map(|(one, purpose)| json!([purpose, super::needs::canonical(one)]));
        let mut canonical = json!({
            "recipe": self.name,
            "parts": parts.collect::<Vec<_>>(),
            "vendor": self.vendor,
            "params": params.to_json(),
            "env": self.env,
            "steps": steps,
            "checks": self.checks,
            "needs": needs.collect::<Vec<_>>(),
        });
        if let Some(release) = version.and_then(|version| self.releases.get(version)) {
            let set = release.set.iter().map(|(name, value)| (name.clone(), value.to_json()));
            canonical["set"] = set.collect::<serde_json::Map<_, _>>().into();
        }
        TextDigest::of(canonical.to_string().as_bytes())
    }

    /// The patches to a version, in their order.
    pub fn patches_of(&self, version: &Version) -> Vec<Patch> {
        let of_version = self.releases.get(version).map(|release| release.patches.as_slice()).unwrap_or_default();
        [self.patches.as_slice(), of_version].concat()
    }
}

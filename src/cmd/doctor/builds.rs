//! What building needs: a toolchain, tools, a fence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Subject;
use super::distribution::Distribution;
use super::finding::Finding;
use crate::build::sandbox::{Fence, Launcher, Setting};
use crate::build::{Error, Toolchain, Wanted, find_tool};
use crate::cmd::project::Project;
use crate::disk;
use crate::platform::Platform;

/// The compiler of each site that has one to build with. It is needed where something has to be built by it.
pub fn toolchain(subjects: &[Subject<'_>], in_project: bool) -> Vec<Finding> {
    if !in_project {
        return vec![match Toolchain::find(Wanted::Any(None)) {
            Ok(toolchain) => found(&toolchain),
            Err(error) => absent(false, None, &error),
        }];
    }
    let mut findings: Vec<Finding> = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.wishes.needs_rust()) {
        let by_cargo = |name| subject.wishes.packages().get(name).is_some_and(|wish| wish.is_by_cargo());
        let needed = subject.to_make.iter().any(by_cargo);
        let pinned = subject.lockfile.as_ref().and_then(|lockfile| lockfile.toolchain.as_ref());
        let wanted = pinned.map_or(Wanted::Any(subject.wishes.toolchain()), Wanted::Locked);
        let finding = match Toolchain::find(wanted) {
            Ok(toolchain) => match pinned.filter(|pinned| pinned.rust != toolchain.rust) {
                Some(pinned) => Finding::note(
                    "toolchain",
                    format!("rust {}, while site `{}` pins {}", toolchain.rust, subject.site.name, pinned.rust),
                )
                .hint("what it builds has other digests than what is recorded"),
                None => found(&toolchain),
            },
            Err(error) => absent(needed, Some(subject.site.name.as_str()), &error),
        };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

fn found(toolchain: &Toolchain) -> Finding {
    Finding::ok("toolchain", format!("rust {} in {}", toolchain.rust, toolchain.sysroot().display()))
}

fn absent(needed: bool, site: Option<&str>, error: &Error) -> Finding {
    let unneeded = if needed || site.is_none() { "" } else { "; all that it builds is here already" };
    let whose = site.map(|site| format!(" (site `{site}`)")).unwrap_or_default();
    let finding = Finding::lack(needed, "toolchain", format!("{error}{whose}{unneeded}"));
    match error {
        Error::NoToolchain { install, .. } => {
            finding.hint(format!("run `rustup toolchain install {install} --profile minimal`"))
        }
        _ => finding,
    }
}

/// What every build has, and no host should be without.
const USUAL: [&str; 10] = ["sh", "awk", "cp", "diff", "find", "grep", "gzip", "sed", "tar", "xz"];

/// The tools that the recipes of sites declare; and for a host in general, those that most do.
pub fn tools(subjects: &[Subject<'_>], distribution: &Distribution) -> Vec<Finding> {
    let mut wanted: BTreeMap<String, Wants> = BTreeMap::new();
    let any_to_make = subjects.iter().any(|subject| !subject.to_make.is_empty());
    for usual in USUAL {
        wanted.entry(usual.to_owned()).or_default().needed |= any_to_make;
    }
    for subject in subjects {
        let wanted_here =
            subject.wishes.packages().iter().filter(|(_, wish)| wish.platforms.contains(&Platform::host()));
        for (name, wish) in wanted_here {
            let made = subject.to_make.contains(name);
            for tool in wish.recipe.tools(&wish.params, Platform::host()) {
                let wants = wanted.entry(tool).or_default();
                wants.needed |= made;
                wants.by.insert(name.to_string());
            }
        }
    }
    if subjects.is_empty() {
        for tool in ["cc", "make"] {
            wanted.entry(tool.to_owned()).or_default();
        }
    }
    let (there, lacking): (Vec<_>, Vec<_>) = wanted.iter().partition(|(name, _)| find_tool(name).is_some());
    let names: Vec<_> = there.iter().map(|(name, _)| name.as_str()).collect();
    let mut findings = Vec::new();
    if !names.is_empty() {
        findings.push(Finding::ok("tools", names.join(", ")));
    }
    findings.extend(lacking.into_iter().map(|(name, wants)| lack(name, wants, distribution)));
    findings
}

/// Who wants a tool.
#[derive(Default)]
struct Wants {
    needed: bool,
    by: BTreeSet<String>,
}

fn lack(name: &str, wants: &Wants, distribution: &Distribution) -> Finding {
    let by: Vec<_> = wants.by.iter().map(|name| format!("`{name}`")).collect();
    let by = match by.as_slice() {
        [] => String::new(),
        by => format!(", which {} is built with", by.join(", ")),
    };
    let unneeded = if wants.needed { "" } else { "; nothing has to be built with it now" };
    let finding = Finding::lack(wants.needed, "tools", format!("there is no `{name}`{by}{unneeded}"));
    match distribution.package_of_tool(name) {
        Some(package) => finding.packages([package]),
        None => finding.hint(format!("install `{name}`")),
    }
}

/// Whether builds are fenced here, by whom, and if not, why.
pub fn sandbox(project: Option<&Project>, distribution: &Distribution) -> Vec<Finding> {
    let setting = project.map_or(Setting::Auto, Project::sandbox);
    if setting == Setting::Off {
        return vec![Finding::note("sandbox", "it is switched off in `envy.toml`, so outputs are not recorded")];
    }
    let launchers =
        [(Launcher::Native, "namespaces made by envy"), (Launcher::Bubblewrap, "namespaces made by `bwrap`")];
    let mut reasons = Vec::new();
    for (launcher, name) in launchers {
        match Fence::choose(Setting::Required, Some(launcher)) {
            Ok(_) => return vec![Finding::ok("sandbox", name)],
            Err(crate::build::sandbox::Error::Refused { reason }) => reasons.push(reason),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let required = setting == Setting::Required;
    let without = if required { "" } else { "; builds run without, and outputs are not recorded" };
    let mut finding = Finding::lack(required, "sandbox", format!("{}{without}", reasons.join(", and ")));
    if let Some(why) = kernel() {
        finding.text.push_str(&format!(" ({why})"));
    }
    let bwrap = distribution.package_of_tool("bwrap").filter(|_| find_tool("bwrap").is_none());
    let hint = match kernel_hint() {
        Some(hint) => hint,
        None => {
            "run where namespaces are allowed; in a container, with `--privileged` or a profile that allows them".into()
        }
    };
    vec![finding.packages(bwrap).hint(hint)]
}

fn setting_of_kernel(name: &str) -> Option<u64> {
    let text = disk::read_text_if_exists(&Path::new("/proc/sys").join(name)).ok().flatten()?;
    text.trim().parse().ok()
}

/// The settings of the kernel that forbid namespaces to users, with the value that they should have.
const SETTINGS: [(&str, u64, &str); 3] = [
    ("kernel/unprivileged_userns_clone", 0, "kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", 0, "user.max_user_namespaces=15000"),
    ("kernel/apparmor_restrict_unprivileged_userns", 1, "kernel.apparmor_restrict_unprivileged_userns=0"),
];

fn forbidding() -> Option<(&'static str, u64, &'static str)> {
    SETTINGS.into_iter().find(|(name, value, _)| setting_of_kernel(name) == Some(*value))
}

fn kernel() -> Option<String> {
    forbidding().map(|(name, value, _)| format!("{} is {value}", name.replace('/', ".")))
}

fn kernel_hint() -> Option<String> {
    forbidding().map(|(_, _, wanted)| format!("run `sudo sysctl -w {wanted}`, or install `bubblewrap`"))
}

//! How two ELF files differ: in which sections. Pure.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _, SectionKind};

use super::cause::Cause;
use super::{Circumstances, Findings, bytes};

/// The sections that have a digest of all the others, or of a file beside.
const DERIVED: [&str; 2] = [".note.gnu.build-id", ".gnu_debuglink"];

/// How two ELF files differ; nothing where one of them is broken.
pub(super) fn findings(first: &[u8], second: &[u8], circumstances: Circumstances) -> Option<Findings> {
    let (one, other) = (sections(first)?, sections(second)?);
    let mut findings = Findings::default();
    let (mut derived, mut names): (Vec<_>, Vec<_>) = (Vec::new(), one.keys().chain(other.keys()).collect());
    names.sort();
    names.dedup();
    for name in names {
        match (one.get(name), other.get(name)) {
            (one, other) if one == other => {}
            (Some(one), Some(other)) if DERIVED.contains(&name.0.as_str()) => derived.push((name, *one, *other)),
            (Some(one), Some(other)) => {
                findings.take(&section(&name.0), bytes::findings(one, other, circumstances));
            }
            (one, other) => {
                let there = |bytes: Option<&&[u8]>| bytes.map_or("nothing", |_| "a section");
                findings.add(section(&name.0), there(one), there(other));
            }
        }
    }
    // These follow from the rest, and have no cause of their own unless nothing else differs.
    let alone = findings.places.is_empty();
    for (name, one, other) in derived {
        let mut found = bytes::findings(one, other, circumstances);
        found.causes.clear();
        found.causes.extend(alone.then_some(Cause::Random));
        findings.take(&section(&name.0), found);
    }
    if findings.places.is_empty() {
        findings.take("outside of its sections", bytes::findings(first, second, circumstances));
    }
    Some(findings)
}

fn section(name: &str) -> String {
    format!("section `{name}`")
}

/// The content of each section, by its name and how many before it have that name.
fn sections(bytes: &[u8]) -> Option<BTreeMap<(String, usize), &[u8]>> {
    let file = object::File::parse(bytes).ok()?;
    let mut sections = BTreeMap::new();
    for section in file.sections() {
        let empty = matches!(section.kind(), SectionKind::UninitializedData | SectionKind::UninitializedTls);
        let name = section.name().ok()?.to_owned();
        let data = if empty { &[][..] } else { section.data().ok()? };
        let number = sections.range((name.clone(), 0)..=(name.clone(), usize::MAX)).count();
        sections.insert((name, number), data);
    }
    Some(sections)
}

//! How two static archives differ: in which members. Pure.

use std::collections::BTreeMap;

use object::read::archive::ArchiveFile;

use super::cause::Cause;
use super::{Circumstances, Findings, contents};

/// How two archives differ; nothing where one of them is broken, or they differ in something else than their members.
pub(super) fn findings(first: &[u8], second: &[u8], circumstances: Circumstances, depth: usize) -> Option<Findings> {
    let (one, other) = (members(first)?, members(second)?);
    let mut findings = Findings::default();
    let names = |members: &[(String, &[u8])]| members.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (ones, others) = (names(&one), names(&other));
    if ones != others && sorted(&ones) == sorted(&others) {
        findings.add("order of its members", shown(&ones), shown(&others));
        findings.causes.insert(Cause::Order);
    }
    let (one, other) = (numbered(one), numbered(other));
    let all: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for key in all {
        let place = format!("member `{}`", key.0);
        match (one.get(key), other.get(key)) {
            (one, other) if one == other => {}
            (Some(one), Some(other)) => findings.take(&place, contents(one, other, circumstances, depth)),
            (one, other) => {
                let there = |bytes: Option<&&[u8]>| bytes.map_or("nothing", |_| "a member");
                findings.add(place, there(one), there(other));
            }
        }
    }
    (!findings.places.is_empty()).then_some(findings)
}

fn members(bytes: &[u8]) -> Option<Vec<(String, &[u8])>> {
    let archive = ArchiveFile::parse(bytes).ok()?;
    let members = archive.members().map(|member| {
        let member = member.ok()?;
        Some((String::from_utf8_lossy(member.name()).into_owned(), member.data(bytes).ok()?))
    });
    members.collect()
}

/// Several members may have one name.
fn numbered(members: Vec<(String, &[u8])>) -> BTreeMap<(String, usize), &[u8]> {
    let (mut numbered, mut seen) = (BTreeMap::new(), BTreeMap::new());
    for (name, data) in members {
        let number: &mut usize = seen.entry(name.clone()).or_default();
        numbered.insert((name, *number), data);
        *number += 1;
    }
    numbered
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn shown(names: &[String]) -> String {
    let more = if names.len() > 6 { ", …" } else { "" };
    format!("{}{more}", names.iter().take(6).cloned().collect::<Vec<_>>().join(", "))
}

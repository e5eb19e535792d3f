//! How two contents that are no texts differ: where, and in which bytes or words. Pure.

use std::collections::HashMap;

use super::cause::{Cause, of_texts};
use super::{Circumstances, Findings, around};

/// How much is looked at round a difference.
const REACH: usize = 96;

/// How many bytes are shown where there is no text.
const SHOWN: usize = 16;

/// The shortest text among other bytes.
const SHORTEST: usize = 4;

/// How many places are looked at.
const MOST: usize = 64;

/// How two contents differ.
pub(super) fn findings(first: &[u8], second: &[u8], circumstances: Circumstances) -> Findings {
    let mut findings = Findings::default();
    if is_reordered(first, second) {
        findings.causes.insert(Cause::Order);
    }
    for (from, to) in ranges(first, second) {
        let texts = (text_at(first, from), text_at(second, from));
        if let (Some((one, at)), Some((other, _))) = &texts {
            findings.add(offset(from), around(one, *at), around(other, *at));
            if findings.causes.is_empty() {
                findings.causes.extend(of_texts(one, other, circumstances));
            }
            continue;
        }
        findings.add(offset(from), hex(first, from), hex(second, from));
        if findings.causes.is_empty() {
            findings.causes.extend(of_numbers(first, second, from, to));
        }
    }
    if first.len() != second.len() {
        findings.add("size", first.len().to_string(), second.len().to_string());
    }
    findings
}

fn offset(at: usize) -> String {
    format!("byte {at:#x}")
}

/// The first ranges in which they differ. What lies closer together is one.
fn ranges(first: &[u8], second: &[u8]) -> Vec<(usize, usize)> {
    let length = first.len().min(second.len());
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for at in (0..length).filter(|at| first[*at] != second[*at]) {
        let full = ranges.len() == MOST;
        match ranges.last_mut() {
            Some((_, to)) if at < *to + 8 => *to = at + 1,
            _ if full => break,
            _ => ranges.push((at, at + 1)),
        }
    }
    if ranges.is_empty() && first.len() != second.len() {
        ranges.push((length, first.len().max(second.len())));
    }
    ranges
}

/// The text that a place lies in, if it does, and where in it.
fn text_at(bytes: &[u8], at: usize) -> Option<(String, usize)> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\t';
    bytes.get(at).filter(|byte| is_text(byte))?;
    let before = bytes[..at].iter().rev().take(REACH).take_while(|byte| is_text(byte)).count();
    let after = bytes[at..].iter().take(REACH).take_while(|byte| is_text(byte)).count();
    let text = &bytes[at - before..at + after];
    (text.len() >= SHORTEST).then(|| (String::from_utf8_lossy(text).into_owned(), before))
}

fn hex(bytes: &[u8], at: usize) -> String {
    let shown = bytes.get(at..).unwrap_or_default().iter().take(SHOWN);
    let shown: Vec<_> = shown.map(|byte| format!("{byte:02x}")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") }
}

/// What is likely to blame where numbers differ.
fn of_numbers(first: &[u8], second: &[u8], from: usize, to: usize) -> Option<Cause> {
    let starts = (to.saturating_sub(8)..=from).rev();
    let has_time = starts.clone().any(|at| {
        let word = |bytes: &[u8]| bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
        let near = |one: u32, other: u32| is_recent(one) && is_recent(other) && one.abs_diff(other) < YEAR;
        at + 4 >= to
            && matches!((word(first), word(second)), (Some(one), Some(other))
                if near(u32::from_le_bytes(one), u32::from_le_bytes(other))
                    || near(u32::from_be_bytes(one), u32::from_be_bytes(other)))
    });
    if has_time {
        return Some(Cause::Time);
    }
    let same_length = first.len() == second.len();
    (same_length && (8..=64).contains(&(to - from))).then_some(Cause::Random)
}

/// A year, in seconds.
const YEAR: u32 = 366 * 24 * 3600;

/// Whether a number may be seconds since 1970, in this century.
fn is_recent(number: u32) -> bool {
    (978_307_200..4_102_444_800).contains(&number)
}

/// Whether they are made of the same pieces in another order: texts with NULs between, or blocks of some size.
fn is_reordered(first: &[u8], second: &[u8]) -> bool {
    if first.len() != second.len() || first == second {
        return false;
    }
    let count = |pieces: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
        pieces.for_each(|piece| *counts.entry(piece).or_default() += 1);
        counts
    };
    let texts = |bytes: &[u8]| count(&mut bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec));
    if texts(first) == texts(second) {
        return true;
    }
    // A block of few bytes says little: the same bytes make many things.
    [64, 32, 16, 8].into_iter().any(|size| {
        let blocks = |bytes: &[u8]| count(&mut bytes.chunks(size).map(<[u8]>::to_vec));
        first.len() >= 2 * size && blocks(first) == blocks(second)
    })
}

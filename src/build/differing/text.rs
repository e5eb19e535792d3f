//! How two texts differ: in which lines, or in their order. Pure.

use super::cause::{Cause, of_texts};
use super::{Circumstances, Findings, around, common};

/// How two texts differ.
pub(super) fn findings(first: &str, second: &str, circumstances: Circumstances) -> Findings {
    let mut findings = Findings::default();
    let (one, other): (Vec<_>, Vec<_>) = (first.lines().collect(), second.lines().collect());
    let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    if one.len() > 1 && sorted(&one) == sorted(&other) {
        findings.add(format!("line {}", at + 1), shown(&one, at), shown(&other, at));
        findings.causes.insert(if by_locale(&one, &other) { Cause::Locale } else { Cause::Order });
        return findings;
    }
    if one.len() == other.len() {
        for (number, (one, other)) in one.iter().zip(&other).enumerate().filter(|(_, (one, other))| one != other) {
            let place = common(one.as_bytes(), other.as_bytes());
            findings.add(format!("line {}", number + 1), around(one, place), around(other, place));
            findings.causes.extend(of_texts(one, other, circumstances));
        }
        if findings.places.is_empty() {
            findings.add("the end of its last line", ending(first), ending(second));
        }
        return findings;
    }
    let number = |lines: usize| format!("{lines} line{}", if lines == 1 { "" } else { "s" });
    findings.add(format!("line {}", at + 1), shown(&one, at), shown(&other, at));
    findings.add("length", number(one.len()), number(other.len()));
    if let (Some(one), Some(other)) = (one.get(at), other.get(at)) {
        findings.causes.extend(of_texts(one, other, circumstances));
    }
    findings
}

fn sorted<'t>(lines: &[&'t str]) -> Vec<&'t str> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines
}

fn shown(lines: &[&str], at: usize) -> String {
    lines.get(at).map_or_else(|| "nothing".to_owned(), |line| around(line, 0))
}

fn ending(text: &str) -> &'static str {
    if text.ends_with('\n') { "ends with a new line" } else { "does not end with a new line" }
}

/// Whether one is sorted by bytes, and the other as people of some language would.
fn by_locale(first: &[&str], second: &[&str]) -> bool {
    let plain = |line: &&str| -> String {
        line.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let by_bytes = |lines: &[&str]| lines.is_sorted();
    let by_letters = |lines: &[&str]| lines.iter().map(plain).is_sorted();
    (by_bytes(first) && by_letters(second)) || (by_letters(first) && by_bytes(second))
}

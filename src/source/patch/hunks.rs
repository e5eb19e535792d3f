//! Applying the hunks of one file. Pure.
//!
//! A hunk may stand at other lines than it says: the nearest place where all its lines are is taken, below the hunk
//! before, and counted from how far that one was off. A library's own way does neither, and takes the wrong one of
//! several places that look alike.

use diffy::{Hunk, Line};

/// A text after hunks, or the index of the first hunk that does not fit.
pub fn apply(text: &[u8], hunks: &[Hunk<'_, [u8]>]) -> Result<Vec<u8>, usize> {
    let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut after, mut done, mut off) = (Vec::with_capacity(text.len()), 0, 0);
    for (index, hunk) in hunks.iter().enumerate() {
        let old = side(hunk, |line| !matches!(line, Line::Insert(_)));
        // A hunk that takes no line away names the line before it.
        let said = if old.is_empty() { hunk.old_range().start() } else { hunk.old_range().start().saturating_sub(1) };
        let place = nearest(&lines, done, &old, said.saturating_add_signed(off)).ok_or(index)?;
        off = place.cast_signed() - said.cast_signed();
        after.extend_from_slice(&lines[done..place]);
        after.extend(side(hunk, |line| !matches!(line, Line::Delete(_))));
        done = place + old.len();
    }
    after.extend_from_slice(&lines[done..]);
    Ok(after.concat())
}

fn side<'h>(hunk: &Hunk<'h, [u8]>, of: impl Fn(&Line<'h, [u8]>) -> bool) -> Vec<&'h [u8]> {
    let lines = hunk.lines().iter().filter(|line| of(line));
    let text = |line: &Line<'h, [u8]>| match line {
        Line::Context(text) | Line::Delete(text) | Line::Insert(text) => *text,
    };
    lines.map(text).collect()
}

/// Where some lines stand, not above `from`: the place nearest to `wanted`, the upper one of two.
fn nearest(lines: &[&[u8]], from: usize, some: &[&[u8]], wanted: usize) -> Option<usize> {
    let last = lines.len().checked_sub(some.len()).filter(|last| *last >= from)?;
    let wanted = wanted.clamp(from, last);
    let fits = |place: &usize| lines[*place..*place + some.len()] == *some;
    let above = (from..=wanted).rev().find(fits);
    // Nothing further away than the place above has to be looked at.
    let reach = above.map_or(last, |above| last.min(wanted + (wanted - above)));
    let below = (wanted..=reach).find(fits);
    match (above, below) {
        (Some(above), Some(below)) => Some(if wanted - above <= below - wanted { above } else { below }),
        (above, below) => above.or(below),
    }
}

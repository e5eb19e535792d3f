//! Where tables stand in a document and which comments are theirs, for `edit`. Pure.

use toml_edit::{Decor, DocumentMut, InlineTable, Item, RawString, Table};

/// The position of the last table below an item, if there is any.
pub(super) fn last_position(item: &Item) -> Option<isize> {
    let mut last = None;
    visit(item, &mut |table| last = last.max(table.position()));
    last
}

/// Give all tables of an item one position; tables of the same position are printed in the order of their keys.
pub(super) fn put_at(item: &mut Item, position: Option<isize>) {
    visit_mut(item, &mut |table| table.set_position(position));
}

/// Make a copy stand for itself: an empty line above it, not the comment of the original.
pub(super) fn detach(copy: &mut Item) {
    if let Some(first) = first_printed(copy) {
        visit_mut(copy, &mut |table| {
            if table.position() == Some(first) {
                table.decor_mut().set_prefix("\n");
            }
        });
    }
}

/// Let a new site at the end of the document follow the comments there, instead of preceding them.
pub(super) fn settle(document: &mut DocumentMut, name: &str, position: Option<isize>) {
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    let at_end = position.is_none() || position >= last_position(document.as_item());
    if trailing.is_empty() || !at_end {
        return;
    }
    let site = document.get_mut("sites").and_then(|sites| sites.get_mut(name));
    let Some(site) = site.and_then(Item::as_table_mut) else { return };
    let mut pending = Some(trailing);
    visit_table_mut(site, &mut |table| {
        if let Some(comments) = pending.take_if(|_| is_printed(table)) {
            prepend(table.decor_mut(), &comments, "\n");
        }
    });
    if pending.is_none() {
        document.set_trailing("");
    }
}

/// Remove a key from the table at a path, and tell whether it was there. Comments that are set off from it stay.
pub(super) fn take_out(document: &mut DocumentMut, path: &[&str], key: &str) -> bool {
    let Some(table) = path.iter().try_fold(document.as_item_mut(), |item, key| item.get_mut(key)) else {
        return false;
    };
    if let Some(inline) = table.as_inline_table_mut() {
        return take_out_inline(inline, key);
    }
    let Some(parent) = table.as_table_mut() else { return false };
    let next = parent.iter().map(|(key, _)| key.to_owned()).skip_while(|other| other != key).nth(1);
    let mut above = String::new();
    with_leaf_decor(parent, key, |decor| above = prefix(decor).to_owned());
    let Some(removed) = parent.remove(key) else { return false };
    let mut position = parent.position();
    if let Some(first) = first_printed(&removed) {
        (above, position) = (prefix_at(&removed, first), Some(first));
    }
    let comments = set_off(&above);
    let beside = |decor: &mut Decor| prepend(decor, comments, "");
    let given = first_printed(&removed).is_none() && next.is_some_and(|next| with_leaf_decor(parent, &next, beside));
    if !given && !comments.is_empty() {
        leave_after(document, position.unwrap_or(0), comments);
    }
    true
}

fn take_out_inline(table: &mut InlineTable, key: &str) -> bool {
    let Some(removed) = table.remove(key) else { return false };
    if let (Some(space), Some((_, last))) = (removed.decor().suffix(), table.iter_mut().last()) {
        // The space before `}` belongs to whatever comes last.
        if last.decor().suffix().and_then(RawString::as_str).unwrap_or_default().is_empty() {
            last.decor_mut().set_suffix(space.clone());
        }
    }
    true
}

/// Do something with what is above a value, or above the first value of dotted keys; tells whether there is one.
fn with_leaf_decor(table: &mut Table, key: &str, f: impl FnOnce(&mut Decor)) -> bool {
    let mut table = table;
    let mut key = key.to_owned();
    while table.get(&key).and_then(Item::as_table).is_some_and(Table::is_dotted) {
        table = table.get_mut(&key).and_then(Item::as_table_mut).expect("it has just been seen to be a table");
        let Some(first) = table.iter().next().map(|(key, _)| key.to_owned()) else { return false };
        key = first;
    }
    if !table.get(&key).is_some_and(Item::is_value) {
        return false;
    }
    table.key_mut(&key).map(|mut key| f(key.leaf_decor_mut())).is_some()
}

/// Put comments above the first table after a position, or at the end.
fn leave_after(document: &mut DocumentMut, position: isize, comments: &str) {
    let mut next: Option<isize> = None;
    visit(document.as_item(), &mut |table| {
        let here = table.position().filter(|here| *here > position && is_printed(table));
        next = [next, here].into_iter().flatten().min();
    });
    let Some(next) = next else {
        let trailing = format!("{comments}{}", document.trailing().as_str().unwrap_or_default());
        document.set_trailing(trailing);
        return;
    };
    visit_mut(document.as_item_mut(), &mut |table| {
        if table.position() == Some(next) {
            prepend(table.decor_mut(), comments, "\n");
        }
    });
}

/// The comments above something that end in an empty line, with that line.
fn set_off(prefix: &str) -> &str {
    let mut end = 0;
    let mut offset = 0;
    for line in prefix.split_inclusive('\n') {
        offset += line.len();
        if line.trim().is_empty() && line.ends_with('\n') {
            end = offset;
        }
    }
    if prefix[..end].contains('#') { &prefix[..end] } else { "" }
}

/// Put comments above what a decor has, which is `default` where nothing was set.
fn prepend(decor: &mut Decor, comments: &str, default: &str) {
    let own = decor.prefix().and_then(RawString::as_str).unwrap_or(default).to_owned();
    // One empty line is enough.
    let own = if comments.ends_with("\n\n") { own.trim_start_matches('\n') } else { &own };
    decor.set_prefix(format!("{comments}{own}"));
}

fn prefix(decor: &Decor) -> &str {
    decor.prefix().and_then(RawString::as_str).unwrap_or_default()
}

fn prefix_at(item: &Item, position: isize) -> String {
    let mut found = String::new();
    visit(item, &mut |table| {
        if table.position() == Some(position) && is_printed(table) {
            found = prefix(table.decor()).to_owned();
        }
    });
    found
}

/// The position of the item's first table that has a header of its own.
fn first_printed(item: &Item) -> Option<isize> {
    let mut first: Option<isize> = None;
    visit(item, &mut |table| {
        let here = table.position().filter(|_| is_printed(table));
        first = [first, here].into_iter().flatten().min();
    });
    first
}

fn is_printed(table: &Table) -> bool {
    let headless = table.is_implicit() && table.get_values().is_empty();
    !table.is_dotted() && !headless
}

fn visit(item: &Item, f: &mut impl FnMut(&Table)) {
    if let Some(table) = item.as_table() {
        f(table);
        table.iter().for_each(|(_, item)| visit(item, f));
    }
}

fn visit_mut(item: &mut Item, f: &mut impl FnMut(&mut Table)) {
    if let Some(table) = item.as_table_mut() {
        visit_table_mut(table, f);
    }
}

fn visit_table_mut(table: &mut Table, f: &mut impl FnMut(&mut Table)) {
    f(table);
    table.iter_mut().for_each(|(_, item)| visit_mut(item, f));
}

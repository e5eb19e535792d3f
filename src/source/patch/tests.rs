use proptest::prelude::*;

use super::*;

struct Scene {
    _directory: tempfile::TempDir,
    store: Store,
    tree: Tree,
}

/// Files by path and text; those below `bin/` may be executed.
fn scene(files: &[(&str, &str)]) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::at(directory.path().join("store"));
    let mut tree = Tree::default();
    for (path, text) in files {
        let file = store.put_file(text.as_bytes(), path.starts_with("bin/")).unwrap();
        tree.insert(path, Node::File(file)).unwrap();
    }
    Scene { _directory: directory, store, tree }
}

impl Scene {
    fn patched(&self, text: &str) -> Result<Tree, Error> {
        let patch = Patch { name: "fix.patch".into(), text: text.as_bytes().to_vec() };
        patched(&self.tree, &[patch], &self.store)
    }

    /// Every file as `PATH: TEXT`, with a `*` where it may be executed; or what went wrong.
    fn shown(&self, text: &str) -> String {
        match self.patched(text) {
            Ok(tree) => self.show(&tree),
            Err(error) => error.to_string(),
        }
    }

    fn show(&self, tree: &Tree) -> String {
        let lines = tree.leaves().into_iter().map(|(path, node)| match node {
            Node::File(file) => {
                let text = String::from_utf8(self.store.read_file(*file).unwrap()).unwrap();
                format!("{path}{}: {}", if file.executable { "*" } else { "" }, text.escape_debug())
            }
            Node::Symlink(target) => format!("{path} -> {target}"),
            Node::Directory(_) => unreachable!("leaves are no directories"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn check(files: &[(&str, &str)], patch: &str, expected: &str) {
    assert_eq!(scene(files).shown(patch), expected, "{patch}");
}

const A: [(&str, &str); 1] = [("dir/a", "one\ntwo\nthree\n")];
const HUNK: &str = "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";

#[test]
fn unified_patches_are_applied() {
    let after = "dir/a: one\\nTWO\\nthree\\n";
    check(&A, &format!("--- a/dir/a\n+++ b/dir/a\n{HUNK}"), after);
    check(&A, &format!("--- old/dir/a\t2020-01-01 00:00:00\n+++ new/dir/a\t2020-01-01 00:00:00\n{HUNK}"), after);
    check(&A, &format!("Some words.\n\nIndex: dir/a\n=====\n--- x/dir/a.orig\n+++ x/dir/a\n{HUNK}-- \n2.40\n"), after);
    check(&A, &format!("diff -ru x/dir/a y/dir/a\n--- x/dir/a\n+++ y/dir/a\n{HUNK}"), after);
    check(&A, &format!("--- a/dir/a\n+++ b/dir/a.new\n{HUNK}"), after);
}

#[test]
fn whole_paths_are_taken_where_they_alone_lead_to_files() {
    let after = "dir/a: one\\nTWO\\nthree\\n";
    check(&A, &format!("--- dir/a\n+++ dir/a\n{HUNK}"), after);
    check(&A, &format!("diff --git dir/a dir/a\n--- dir/a\n+++ dir/a\n{HUNK}"), after);
    let git = "diff --git dir/b dir/b\nnew file mode 100644\n--- /dev/null\n+++ dir/b\n@@ -0,0 +1 @@\n+x\n";
    check(&A, git, "dir/a: one\\ntwo\\nthree\\n\ndir/b: x\\n");
    let top = [("a", "one\ntwo\nthree\n"), ("x/b", "one\ntwo\nthree\n")];
    let patch = format!("--- a.orig\n+++ a\n{HUNK}--- x/b.orig\n+++ x/b\n{HUNK}");
    check(&top, &patch, "a: one\\nTWO\\nthree\\n\nx/b: one\\nTWO\\nthree\\n");
    let both = [("dir/a", "one\ntwo\nthree\n"), ("a", "one\ntwo\nthree\n")];
    check(
        &both,
        &format!("--- dir/a\n+++ dir/a\n{HUNK}"),
        "a: one\\nTWO\\nthree\\ndir/a: one\\ntwo\\nthree\\n".replace("\\ndir", "\\n\ndir").as_str(),
    );
}

#[test]
fn patches_of_git_are_applied() {
    let head = "From 0123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH] Fix\n\n---\n dir/a | 2 +-\n\n";
    let git = "diff --git a/dir/a b/dir/a\nindex 1234567..89abcde 100644\n";
    let text = format!("{head}{git}--- a/dir/a\n+++ b/dir/a\n{HUNK}-- \n2.40.1\n\n");
    check(&A, &text, "dir/a: one\\nTWO\\nthree\\n");
}

#[test]
fn several_files_are_patched_one_after_the_other() {
    let files = [("a", "1\n"), ("b", "2\n")];
    let both = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+one\n--- a/b\n+++ b/b\n@@ -1 +1 @@\n-2\n+two\n";
    check(&files, both, "a: one\\n\nb: two\\n");
    let git = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+one\ndiff --git a/b b/b\n--- a/b\n+++ b/b\n\
               @@ -1 +1 @@\n-2\n+two\n";
    check(&files, git, "a: one\\n\nb: two\\n");
    let scene = scene(&[("a", "1\n")]);
    let patch = |old: &str, new: &str| Patch {
        name: new.to_owned(),
        text: format!("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-{old}\n+{new}\n").into_bytes(),
    };
    let tree = patched(&scene.tree, &[patch("1", "2"), patch("2", "3")], &scene.store).unwrap();
    assert_eq!(scene.show(&tree), "a: 3\\n");
    let error = patched(&scene.tree, &[patch("1", "2"), patch("1", "3")], &scene.store).unwrap_err();
    assert_eq!(error.to_string(), "the patch `3` does not fit `a`: hunk 1, `@@ -1 +1 @@`");
}

#[test]
fn a_file_that_is_added_may_be_named_twice() {
    let files = [("a", "1\n"), ("e", "")];
    let added = "--- x.orig/new/b\n+++ x/new/b\n@@ -0,0 +1 @@\n+x\n";
    check(&files, added, "a: 1\\n\ne: \nnew/b: x\\n");
    let among = format!("--- x.orig/a\n+++ x/a\n@@ -1 +1 @@\n-1\n+2\n{added}");
    check(&files, &among, "a: 2\\n\ne: \nnew/b: x\\n");
    check(&files, "--- x.orig/e\n+++ x/e\n@@ -0,0 +1 @@\n+x\n", "a: 1\\n\ne: x\\n");
    let gone = "the patch `fix.patch` changes `b`, which is not there";
    check(&files, "--- x.orig/b\n+++ x/b\n@@ -1 +1,2 @@\n 1\n+x\n", gone);
}

#[test]
fn files_are_added_and_deleted() {
    let files = [("a", "1\n")];
    check(&files, "--- /dev/null\n+++ b/new/b\n@@ -0,0 +1,2 @@\n+x\n+y\n", "a: 1\\n\nnew/b: x\\ny\\n");
    let git = "diff --git a/run b/run\nnew file mode 100755\nindex 0000000..1234567\n--- /dev/null\n+++ b/run\n\
               @@ -0,0 +1 @@\n+#!/bin/sh\n\\ No newline at end of file\n";
    check(&files, git, "a: 1\\n\nrun*: #!/bin/sh");
    check(&files, "diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n", "a: 1\\n\ne: ");
    check(&files, "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n", "");
    let two = [("a", "1\n"), ("d/e", "")];
    check(&two, "diff --git a/d/e b/d/e\ndeleted file mode 100644\nindex e69de29..0000000\n", "a: 1\\n");
    let more = [("a", "1\n2\n")];
    let rest = "the patch `fix.patch` deletes `a`, but would leave some of its lines";
    check(&more, "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n", rest);
    let there = "the patch `fix.patch` adds `a`, which is there";
    check(&files, "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n", there);
}

#[test]
fn files_are_renamed_and_copied() {
    let renamed = "diff --git a/dir/a b/new/b\nsimilarity index 60%\nrename from dir/a\nrename to new/b\n";
    check(&A, renamed, "new/b: one\\ntwo\\nthree\\n");
    check(&A, &format!("{renamed}--- a/dir/a\n+++ b/new/b\n{HUNK}"), "new/b: one\\nTWO\\nthree\\n");
    let copied = "diff --git a/dir/a b/b\nsimilarity index 100%\ncopy from dir/a\ncopy to b\n";
    check(&A, copied, "b: one\\ntwo\\nthree\\n\ndir/a: one\\ntwo\\nthree\\n");
    let files = [("dir/a", "1"), ("new/b", "2")];
    check(&files, renamed, "the patch `fix.patch` adds `new/b`, which is there");
}

#[test]
fn sources_are_as_they_were_before() {
    let files = [("a", "1\n"), ("b", "2\n")];
    let renamed = |from, to| format!("diff --git a/{from} b/{to}\nrename from {from}\nrename to {to}\n");
    check(&files, &[renamed("a", "b"), renamed("b", "a")].concat(), "a: 2\\n\nb: 1\\n");
    let changed = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+one\n";
    let copied = "diff --git a/a b/c\ncopy from a\ncopy to c\n--- a/a\n+++ b/c\n@@ -1 +1 @@\n-1\n+uno\n";
    check(&files, &format!("{changed}{copied}"), "a: one\\n\nb: 2\\n\nc: uno\\n");
    let missing = "the patch `fix.patch` changes `c`, which is not there";
    check(&files, &renamed("c", "d"), missing);
}

#[test]
fn commits_of_one_text_follow_each_other() {
    let head =
        |id: &str| format!("From {} Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n a | 2 +-\n\n", id.repeat(40));
    let letter = head("0").replace("---\n a | 2 +-\n", " a | 2 +-\n");
    let changed = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n-- \n2.40\n\n";
    let moved = "diff --git a/a b/b\nrename from a\nrename to b\n--- a/a\n+++ b/b\n@@ -1 +1 @@\n-2\n+3\n-- \n2.40\n\n";
    let text = [letter, head("1"), changed.to_owned(), head("a"), moved.to_owned()].concat();
    check(&[("a", "1\n")], &text, "b: 3\\n");
    check(&[("a", "1\n")], &text.replace('\n', "\r\n"), "b: 3\\n");
}

#[test]
fn of_places_that_look_alike_the_nearest_is_taken() {
    let before = [("a", "x\n{\nx\n{\nx\n{\nx\n")];
    check(&before, "--- a/a\n+++ b/a\n@@ -6 +5,0 @@\n-{\n", "a: x\\n{\\nx\\n{\\nx\\nx\\n");
    let alike = [("a", "0\n0\n0\na\nx\nx\nx\nx\nx\n")];
    let off = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+A\n@@ -3 +3 @@\n-x\n+X\n";
    check(&alike, off, "a: 0\\n0\\n0\\nA\\nx\\nX\\nx\\nx\\nx\\n");
}

#[test]
fn modes_are_changed() {
    let git = |old, new| format!("diff --git a/bin/x b/bin/x\nold mode {old}\nnew mode {new}\n");
    check(&[("bin/x", "1")], &git(100_755, 100_644), "bin/x: 1");
    check(&[("bin/x", "1")], &git(100_755, 100_755), "the patch `fix.patch` changes nothing");
    let mode = "the patch `fix.patch` makes `bin/x` a symlink or a submodule, which no patch may";
    check(&[("bin/x", "1")], &git(100_755, 120_000), mode);
    let kept = "--- a/bin/x\n+++ b/bin/x\n@@ -1 +1 @@\n-1\n+2\n";
    check(&[("bin/x", "1\n")], kept, "bin/x*: 2\\n");
}

#[test]
fn binary_changes_are_refused() {
    let refused = "the patch `fix.patch` has a binary change of `a`, which envy does not apply";
    let git = "diff --git a/a b/a\nindex 1234567..89abcde 100644\n";
    check(&[("a", "1")], &format!("{git}Binary files a/a and b/a differ\n"), refused);
    check(
        &[("a", "1")],
        &format!("{git}GIT binary patch\nliteral 1\nIcmZPo000310RR91\n\nliteral 1\nIcmZPo000310RR91\n\n"),
        refused,
    );
}

#[test]
fn hunks_may_stand_elsewhere_but_have_to_fit() {
    let moved = [("a", "0\n0\n0\none\ntwo\nthree\n")];
    check(&moved, &format!("--- a/a\n+++ b/a\n{HUNK}"), "a: 0\\n0\\n0\\none\\nTWO\\nthree\\n");
    let two = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-0\n+zero\n@@ -40,3 +40,3 @@ fn main() {\n one\n-2\n+TWO\n three\n";
    check(&moved, two, "the patch `fix.patch` does not fit `a`: hunk 2, `@@ -40,3 +40,3 @@`");
    let missing = "the patch `fix.patch` changes `none`, which is not there";
    check(&moved, &format!("--- a/none\n+++ b/none\n{HUNK}"), missing);
}

#[test]
fn ends_of_lines_count_unless_the_patch_was_converted() {
    let dos = [("a", "one\r\ntwo\r\nthree\r\n")];
    let unix = [("a", "one\ntwo\nthree\n")];
    let patch = format!("--- a/a\n+++ b/a\n{HUNK}");
    let refused = "the patch `fix.patch` does not fit `a`: hunk 1, `@@ -1,3 +1,3 @@`";
    check(&dos, &patch, refused);
    check(&dos, &patch.replace('\n', "\r\n"), "a: one\\r\\nTWO\\r\\nthree\\r\\n");
    check(&unix, &patch.replace('\n', "\r\n"), "a: one\\nTWO\\nthree\\n");
    let exact = patch.replace("one\n", "one\r\n").replace("wo\n", "wo\r\n").replace("TWO\n", "TWO\r\n");
    check(&dos, &exact.replace("three\n", "three\r\n"), "a: one\\r\\nTWO\\r\\nthree\\r\\n");
}

#[test]
fn paths_stay_inside() {
    for (path, shown) in [("b/../../x", "../../x"), ("b//etc/x", "/etc/x"), ("b/..", "..")] {
        let patch = format!("--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+x\n");
        check(&A, &patch, &format!("the patch `fix.patch` leads outside, to `{shown}`"));
    }
    let renamed = "diff --git a/dir/a b/x\nsimilarity index 100%\nrename from dir/a\nrename to ../x\n";
    check(&A, renamed, "the patch `fix.patch` leads outside, to `../x`");
    let mut scene = scene(&A);
    scene.tree.insert("link", Node::Symlink("dir".into())).unwrap();
    let patch = |path: &str| format!("--- a/{path}\n+++ b/{path}\n{HUNK}");
    let through = "the patch `fix.patch` leads through `link`, which is no directory, to `link/a`";
    assert_eq!(scene.shown(&patch("link/a")), through);
    assert_eq!(scene.shown(&patch("link")), "the patch `fix.patch` changes `link`, which is no regular file");
    let new = "--- /dev/null\n+++ b/dir/a/b\n@@ -0,0 +1 @@\n+x\n";
    assert_eq!(scene.shown(new), "the patch `fix.patch` leads through `dir/a`, which is no directory, to `dir/a/b`");
}

#[test]
fn what_is_no_patch_is_refused() {
    let broken = "could not understand the patch `fix.patch`";
    check(&A, "", broken);
    check(&A, "hello\n", broken);
    check(&A, "--- a/dir/a\n+++ b/dir/a\n@@ -1,3 +1,3 @@\n one\n", broken);
    let git = "diff --git a/dir/a b/dir/a\nold mode 100644\nnew mode 100755\n";
    let mixed = format!("--- a/dir/a\n+++ b/dir/a\n{HUNK}{git}");
    check(&A, &mixed, "the patch `fix.patch` mixes changes with and without `diff --git`");
    check(
        &A,
        &HUNK.replace("TWO", "two").replacen("@@", "--- a/dir/a\n+++ b/dir/a\n@@", 1),
        "the patch `fix.patch` changes nothing",
    );
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof!["[ab]{0,2}", "[+ -]{1,3}[ab]?", Just("@@ -1 +1 @@".to_owned()), Just("a\r".to_owned())];
    (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, ends)| {
        let text = lines.join("\n");
        if ends && !text.is_empty() { format!("{text}\n") } else { text }
    })
}

proptest! {
    #[test]
    fn a_difference_between_two_texts_gives_the_second(before in text(), after in text(), context in 0usize..4) {
        prop_assume!(before != after);
        let difference = diffy::DiffOptions::new()
            .set_context_len(context)
            .set_original_filename("a/f")
            .set_modified_filename("b/f")
            .create_patch(&before, &after)
            .to_string();
        let scene = scene(&[("f", &before)]);
        let tree = scene.patched(&difference).unwrap();
        let Some(Node::File(file)) = tree.get("f") else { panic!("f is a file") };
        prop_assert_eq!(scene.store.read_file(*file).unwrap(), after.into_bytes());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+@ab/ 0-9,\n]{0,80}") {
        let _ = scene(&A).patched(&format!("--- a/dir/a\n+++ b/dir/a\n{text}"));
    }
}

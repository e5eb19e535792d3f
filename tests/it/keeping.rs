//! Which generations there are, what is known of them, and which are kept.

use expect_test::expect;

use crate::scratch::Scratch;

/// A site with so many generations, which differ by a variable; the last one is current.
fn site(count: u32) -> Scratch {
    let scratch = Scratch::new();
    for release in 1..=count {
        scratch.write(
            "envy.toml",
            format!("[sites.api]\nenv = {{ RELEASE = '{{release}}' }}\nvars = {{ release = {release} }}\n"),
        );
        scratch.env("USER", "ada").envy(&format!("build -m 'release {release}'")).succeeds();
    }
    scratch
}

fn numbers(scratch: &Scratch) -> String {
    scratch.shell().sh("ls .envy/sites/api/generations | sort -n | tr '\\n' ' '").stdout().trim_end().to_owned()
}

#[test]
fn the_newest_are_kept_and_the_live_and_the_pinned_ones() {
    let scratch = site(6);
    scratch.envy("generations api --pin 2").says("(pinned): release 2");
    scratch.envy("switch api 1").succeeds();
    scratch.envy("generations api --keep 2 --dry-run").ok(expect![[r#"
        would remove 2 generations of site `api`: 3, 4
    "#]]);
    assert_eq!(numbers(&scratch), "1 2 3 4 5 6");
    scratch.envy("generations api --keep 2").ok(expect![[r#"
        removed 2 generations of site `api`: 3, 4
    "#]]);
    scratch.envy("generations api --keep 2").ok(expect![[r#"
        unchanged site `api` keeps all of its generations
    "#]]);
    assert_eq!(numbers(&scratch), "1 2 5 6");
    // What was live before is gone, so going back goes further back.
    scratch.envy("switch api 6").succeeds();
    scratch.envy("rollback api").says("switched site `api` to generation 1");
    scratch.envy("generations api --unpin 2 --keep 1").ok(expect![[r#"
        removed 2 generations of site `api`: 2, 5
    "#]]);
    scratch.envy("generations api --unpin 2").fails(
        1,
        expect![[r#"
            error: generation 2 of site `api` is not pinned
            hint: run `envy generations api` to see those there are
        "#]],
    );
    scratch.envy("generations api --pin 4").fails(
        1,
        expect![[r#"
            error: site `api` has no generation 4; it has 1 to 6
            hint: run `envy generations api` to see those there are
        "#]],
    );
    scratch.envy("generations api --dry-run").ends(2);
}

#[test]
fn those_that_are_old_go_unless_they_are_among_the_newest() {
    let scratch = site(3);
    // Times are told to the second.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    scratch.write("envy.toml", "[sites.api]\nenv = { RELEASE = 'last' }\n").envy("build").succeeds();
    scratch.envy("generations api --older-than 1s --keep 3 --json --dry-run").ok(expect![[r#"
        --- stdout ---
        {
          "dry-run": true,
          "removed": [
            1
          ],
          "schema": "envy.generations-removed/1",
          "site": "api"
        }
    "#]]);
    scratch.envy("generations api --older-than 2026-02-15").says("keeps all of its generations");
    scratch.envy("generations api --pin 3 --older-than 1s").says("removed 2 generations of site `api`: 1, 2");
    scratch.envy("generations api --unpin 3 --older-than 1s").says("removed 1 generation of site `api`: 3");
    scratch.envy("generations api --older-than soon").ends(2);
    assert_eq!(numbers(&scratch), "4");
    scratch.envy("rollback api").ends(1).says("no generation to go back to");
    // The next one has a number that none had before.
    scratch.write("envy.toml", "[sites.api]\n").envy("build").says("to generation 5");
}

#[test]
fn a_project_may_say_how_many_a_build_keeps() {
    let scratch = site(5);
    let manifest = |release: u32| {
        format!(
            "[settings]\nkeep-generations = 3\n[sites.api]\nenv = {{ RELEASE = '{{release}}' }}\nvars = {{ release = {release} }}\n"
        )
    };
    scratch.write("envy.toml", manifest(6)).envy("build").ok(expect![[r#"
        switched site `api` to generation 6 (0 packages)
          prefix sha256:[..]
          3 generations removed, by `keep-generations` in `envy.toml`
    "#]]);
    assert_eq!(numbers(&scratch), "4 5 6");
    scratch.envy("rollback api").succeeds();
    scratch.envy("rollback api").succeeds();
    // The one to go back to is kept, though it is not among the newest.
    scratch.write("envy.toml", manifest(7)).envy("build --switch").succeeds();
    assert_eq!(numbers(&scratch), "4 5 6 7");
    scratch.write("envy.toml", "[settings]\nkeep-generations = 1").envy("list").ends(1).says("from 2");
}

#[test]
fn a_generation_tells_who_made_it_from_which_commit_and_why() {
    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.api]\n").write("README", "").envy("lock").succeeds();
    scratch.shell().sh("git init -q && git add . && git commit -qm one").succeeds();
    let commit = scratch.shell().sh("git rev-parse HEAD").stdout().trim().to_owned();
    scratch.env("USER", "ada").envy("build --locked -m 'first'").succeeds();
    let release = |number: u32| format!("[sites.api]\nenv = {{ RELEASE = '{number}' }}\n");
    scratch.write("envy.toml", release(2)).env("USER", "bob").envy("build --locked -m 'in haste'").succeeds();
    // A rollback says of itself why, and changes nothing of what is known of a generation.
    scratch.env("USER", "eve").envy("rollback api -m 'too hasty'").succeeds();

    let list = scratch.envy("generations api --json").json();
    let told = |number: usize, key: &str| list["generations"][number][key].clone();
    assert_eq!(
        (told(0, "by"), told(0, "commit"), told(0, "dirty")),
        ("ada".into(), commit.as_str().into(), false.into())
    );
    assert_eq!((told(1, "by"), told(1, "message"), told(1, "dirty")), ("bob".into(), "in haste".into(), true.into()));
    assert_eq!((told(0, "current"), told(1, "current")), (true.into(), false.into()));
    assert!(told(0, "lockfile").as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    let text = scratch.envy("generations api").text();
    assert!(text.contains(&format!(" by ada at {}  ", &commit[..12])), "{text}");
    assert!(text.contains(&format!(" by bob at {}+  ", &commit[..12])) && text.contains(": in haste"), "{text}");
    scratch.envy("generations api -v").says("       lockfile sha256:[..]\n").says("with changes that are not in it");

    // What git does not track counts where envy reads it, and nowhere else.
    scratch.shell().sh("git commit -qam two").succeeds();
    scratch.write("notes", "").envy("build --locked --switch").succeeds();
    scratch.write("recipes/x.toml", "summary = 'x'\n").write("envy.toml", release(2) + "# again\n");
    scratch.shell().sh("git commit -qam three").succeeds();
    let dirty = || {
        scratch.envy("generations api --json").json()["generations"].as_array().expect("a list").last().expect("one")["dirty"].clone()
    };
    scratch.write("envy.toml", release(3)).shell().sh("git commit -qam four").succeeds();
    scratch.envy("build --locked").succeeds();
    assert_eq!(dirty(), true, "the recipe is not committed");
    scratch.shell().sh("rm -r recipes").succeeds();
    scratch.write("envy.toml", release(4)).shell().sh("git commit -qam five").succeeds();
    scratch.envy("build --locked").succeeds();
    assert_eq!(dirty(), false, "notes are nothing that envy reads");
}

#[test]
fn a_generation_that_cannot_be_read_is_listed_with_the_others() {
    let scratch = site(3);
    scratch
        .shell()
        .sh("cd .envy/sites/api/generations/2 && chmod u+w generation.json && sed -i s/ada/eve/ generation.json")
        .succeeds();
    scratch
        .envy("generations api")
        .says("    2  the description of generation 2 of site `api` is not as it was written\n*   3  ".trim_start());
    let list = scratch.envy("generations api --json").json();
    assert_eq!((&list["generations"][1]["number"], &list["generations"][1]["current"]), (&2.into(), &false.into()));
    scratch.envy("generations api --keep 1").says("removed 2 generations of site `api`: 1, 2");
}

//! `envy why`: how a package came into a site, and which package a file is of.

use expect_test::expect;

use crate::outcome::Outcome;
use crate::scratch::Scratch;

fn recipe(needs: &str, file: &str) -> String {
    format!(
        "summary = 'x'\n[versions.'1.0']\n{needs}\n[[step]]\nname = 'go'\n\
         run = 'mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/share && echo hi > {{{{ destdir }}}}{{{{ prefix }}}}/share/{file}'\n"
    )
}

fn world() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/lib.toml", recipe("", "lib"));
    scratch.write("recipes/app.toml", recipe("[dependencies]\nlib = '>=1'", "app"));
    let files = "[sites.api.files]\n\"etc/app.conf\" = { text = 'port = 1' }\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\napp = {{ recipe = 'app', version = '1' }}\n{files}"));
    scratch.env("USER", "ada").envy("build").succeeds();
    scratch
}

/// What was said, without what differs from day to day and host to host. Where there is no sandbox, as if there were one.
fn said(outcome: &Outcome) -> String {
    let line = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let word = |(at, word): (usize, &&str)| match (words.get(at.wrapping_sub(1)), *word) {
            (_, word) if word.len() > 19 && word.as_bytes()[10] == b'T' && word.starts_with("20") => {
                format!("[WHEN]{}", if word.ends_with(',') { "," } else { "" })
            }
            (Some(&"on"), word) => format!("[HOST]{}", if word.ends_with(',') { "," } else { "" }),
            (Some(&"envy"), _) => "[VERSION]".to_owned(),
            (Some(&"in"), _) if line.starts_with("  built") => "[TIME]".to_owned(),
            (_, "s") if line.starts_with("  built") => String::new(),
            (_, word) => word.to_owned(),
        };
        words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    };
    outcome.succeeds().text().lines().map(|one| format!("{}\n", line(one).replace("[TIME]  by", "[TIME] by"))).collect()
}

#[test]
fn a_package_is_there_because_others_need_it() {
    let scratch = world();
    expect![[r#"
        --- stdout ---
        lib 1.0
          source   recipe+lib
          recipe   `lib`
          step     go: mkdir -p /envy/out/envy/prefix/share && echo hi > /envy/out/envy/prefix/share/lib
          output   sha256:[..] of action sha256:[..]
          built    [WHEN] by ada on [HOST] in [TIME] by envy [VERSION] sandbox namespaces, action sha256:[..]
          shown    by generation 2 of [WHEN] by ada on [HOST], new
          required api -> app 1.0 (^1) -> lib 1.0 (>=1)
    "#]]
    .assert_eq(&said(&scratch.envy("why api lib")));
    let document = scratch.envy("why api lib --json").succeeds().json();
    assert_eq!(document["schema"], "envy.why/1");
    assert_eq!(document["found"][0]["chains"][0][1]["requires"], ">=1");
    scratch.envy("why api lob").fails(
        1,
        expect![[r#"
        error: there is no package and no file `lob` in the site
        hint: did you mean `lib`?
    "#]],
    );
    scratch.envy("why nowhere lib").ends(1);
}

#[test]
fn a_file_is_there_because_a_package_has_it() {
    let scratch = world();
    expect![[r#"
        --- stdout ---
        share/lib: sha256:[..], 3 bytes, from `lib`
        lib 1.0
          source   recipe+lib
          recipe   `lib`
          step     go: mkdir -p /envy/out/envy/prefix/share && echo hi > /envy/out/envy/prefix/share/lib
          output   sha256:[..] of action sha256:[..]
          built    [WHEN] by ada on [HOST] in [TIME] by envy [VERSION] sandbox namespaces, action sha256:[..]
          shown    by generation 2 of [WHEN] by ada on [HOST], new
          required api -> app 1.0 (^1) -> lib 1.0 (>=1)
    "#]]
    .assert_eq(&said(&scratch.envy("why api share/lib")));
    let whole = scratch.path(".envy/sites/api/current/share/app");
    scratch.envy(&format!("why api {}", whole.display())).succeeds().says("share/app: sha256:").says("app 1.0");
    scratch.envy("why api share").succeeds().says("share: a directory, from `app`, `lib`");
    scratch.envy("why api etc/app.conf").succeeds().says("a file of the site's own");
    scratch.envy("why api share/nothing").ends(1);
    assert_eq!(scratch.envy("why api share/lib --json").succeeds().json()["found"][0]["packages"][0]["name"], "lib");
}

#[test]
fn what_is_left_out_of_a_package_is_not_there_and_what_overrides_say_is_required() {
    let scratch = world();
    let entry = "app = { recipe = 'app', version = '1', without = ['share/app'] }";
    let overrides = "[overrides]\nlib = { recipe = 'lib', version = '=1.0' }\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{entry}\n{overrides}"));
    scratch.envy("build").succeeds();
    scratch.envy("why api share/app").ends(1);
    scratch.envy("why api share").says("from `app`, `lib`");
    scratch.envy("why api lib").succeeds().says("-> lib 1.0 (=1.0)");
}

#[test]
fn a_path_alone_is_enough_from_anywhere() {
    let scratch = world();
    let place = format!("  site     `api` in `{}`\n", scratch.path(".envy/sites/api").display());
    let check = |directory: &str, path: &str| {
        let outcome = scratch.in_dir(directory).envy(&format!("why {path}"));
        outcome.succeeds().says("share/lib: sha256:[..], 3 bytes, from `lib`\nlib 1.0\n  source   recipe+lib\n");
        outcome.says("  built    20").says(" by ada on ").says("  required api -> app 1.0 (^1) -> lib 1.0 (>=1)\n");
        assert!(outcome.stdout().ends_with(&place), "{outcome}");
    };
    check("", ".envy/sites/api/current/share/lib");
    check("", "./.envy/sites/../sites/api/generations/2/share/lib");
    check("/tmp", scratch.path(".envy/sites/api/current/share/lib").to_str().unwrap());
    check(".envy/sites/api/generations", "../current/share/lib");
    let store = std::fs::canonicalize(scratch.path(".envy/sites/api/current/share/lib")).unwrap();
    check("/", store.to_str().unwrap());
    scratch.shell().sh("ln -s $PWD/.envy/sites/api/current/share/lib ../link").succeeds();
    check("", "../link");
    let document = scratch.envy("why .envy/sites/api/current/share/lib --json").succeeds().json();
    assert_eq!((&document["site"], &document["generation"]), (&"api".into(), &2.into()));
    assert_eq!(document["found"][0]["packages"][0]["name"], "lib");

    // Without its project, a site still knows what it shows.
    scratch.shell().sh("mv envy.toml aside").succeeds();
    let outcome = scratch.in_dir("/").envy(&format!("why {}", store.display()));
    outcome.succeeds().says("  source   recipe+lib\n  recipe   sha256:[..]\n").never_says("required");
    scratch.shell().sh("rm -rf .envy").succeeds();
    let outcome = scratch.in_dir("/").envy(&format!("why {}", store.display()));
    outcome.succeeds().says("no site shows prefix sha256:[..]\nlib 1.0\n  built    20");
}

#[test]
fn a_path_that_is_not_of_envy_is_said_to_be_so() {
    let scratch = world();
    scratch.envy("why /bin/sh").fails(
        1,
        expect![[r#"
            error: `/bin/sh` is in no site and in no store
              it is there, but envy did not put it there
            hint: name a file in a site, as `.envy/sites/SITE/current/bin/PROGRAM`, or a site and then a package: `envy why SITE NAME`
        "#]],
    );
    scratch
        .envy("why .envy/sites/api/current/share/none")
        .ends(1)
        .says("generation 2 of site `api` has no `share/none`");
    scratch.envy("why nothing/here").ends(1).says("there is nothing at this path");
    scratch.envy("why Not/A/Site lib").ends(2);
}

#[test]
fn what_was_built_elsewhere_says_so() {
    let scratch = world();
    scratch.envy("bundle api --output ../api.envy").succeeds();
    let to = Scratch::new();
    std::fs::copy(scratch.root().join("api.envy"), to.root().join("api.envy")).unwrap();
    to.envy("import ../api.envy").succeeds();
    std::fs::remove_dir_all(to.store().join("results")).ok();
    let elsewhere = "  built    elsewhere: its result is not in this store\n";
    to.envy("why api lib").succeeds().says(elsewhere);
    to.envy("why api share/lib").succeeds().says(elsewhere);
    to.envy("why .envy/sites/api/current/share/lib").succeeds().says(elsewhere);
}

#[test]
fn all_that_a_site_shows_is_of_all_its_packages() {
    let scratch = world();
    for path in [".envy/sites/api/current", ".envy/sites/api/generations/2/", "api ."] {
        let outcome = scratch.envy(&format!("why {path}"));
        outcome.succeeds().says(".: a directory, from `app`, `lib`, and files of the site's own\n");
        outcome.says("\napp 1.0\n").says("\nlib 1.0\n");
    }
    scratch.envy("why api etc").succeeds().says("etc: a directory of the site's own files");
}

#[test]
fn what_envy_keeps_says_what_it_is() {
    let scratch = world();
    let store = scratch.store();
    let lib = std::fs::canonicalize(scratch.path(".envy/sites/api/current/share/lib")).unwrap();
    let prefix = lib.parent().unwrap().parent().unwrap();
    scratch.shell().sh("rm -rf ../prefix && mkdir ../prefix").succeeds();
    let check = |path: &std::path::Path, what: &str| {
        scratch.envy(&format!("why {}", path.display())).succeeds().says(what);
    };
    check(&store, ".: the store, `[SCRATCH]/data/envy/store`");
    check(&store.join("prefixes"), "prefixes: ready prefixes, which sites lead into");
    check(&store.join("blobs"), "blobs: the bytes of files");
    let blob = scratch.shell().sh("find ../data/envy/store/blobs -type f | head -1").stdout().trim().to_owned();
    let outcome = scratch.envy(&format!("why {blob}"));
    outcome.succeeds().says(": blob sha256:[..]").says("  site `[SCRATCH]/project/.envy/sites/api`\n    generation 2");
    let document = scratch.envy(&format!("why {blob} --json")).succeeds().json();
    assert_eq!(document["found"][0]["kept"][0]["kind"], "blob");
    assert!(document["found"][0]["kept"][0]["sites"][0]["site"].as_str().unwrap().ends_with("/sites/api"));

    scratch.write(".envy/sites/api/var/data", "x");
    let place = "\n  site     `api` in `[SCRATCH]/project/.envy/sites/api`\n";
    check(".envy/sites/api/var".as_ref(), &format!("var: the service's own data, which envy never touches{place}"));
    check(".envy/sites/api/var/data".as_ref(), "var/data: the service's own data, which envy never touches");
    check(".envy/sites/api".as_ref(), ".: the site's directory");
    check(".envy/sites/api/generations".as_ref(), "generations: the site's generations");

    // A prefix that no site shows is kept by nothing but its time.
    scratch.shell().sh("mv .envy aside").succeeds();
    check(prefix, ": prefix sha256:[..]");
}

#[test]
fn a_command_of_several_lines_stays_one_and_data_is_data() {
    let scratch = Scratch::new();
    let run = "mkdir -p {{ destdir }}{{ prefix }}/share\n\ncat > {{ destdir }}{{ prefix }}/share/lib \\\\\n  <<END\n$COLOR\nEND";
    let step = format!("[[step]]\nname = 'go'\nrun = \"\"\"\n{run}\n\"\"\"\n");
    scratch.write("recipes/lib.toml", format!("summary = 'x'\n[versions.'1.0']\n[env]\nCOLOR = 'red'\n{step}"));
    scratch.write("envy.toml", "[sites.api.dependencies]\nlib = { recipe = 'lib', version = '1' }\n");
    scratch.env("USER", "ada").envy("build").succeeds();
    scratch.envy("why api lib").succeeds().says(
        "  env      COLOR=red
  step     go: mkdir -p /envy/out/envy/prefix/share

               cat > /envy/out/envy/prefix/share/lib \\
                 <<END
               $COLOR
               END
  output   ",
    );
    let document = &scratch.envy("why api lib --json").succeeds().json()["found"][0];
    assert_eq!(document["environment"], serde_json::json!({ "COLOR": "red" }));
    assert_eq!(document["steps"][0]["name"], "go");
    assert!(document["steps"][0]["run"].as_str().unwrap().ends_with(" \\\n  <<END\n$COLOR\nEND"), "{document}");
    let (output, built) = (&document["outputs"][0], &document["built"][0]);
    assert_eq!(output["action"], built["action"]);
    assert!(output["tree"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(built["by"], "ada");
    assert_eq!(built["rust"], serde_json::Value::Null);
    assert!(built["seconds"].is_number() && built["time"].is_string() && built["sandbox"].is_string());
}

#[test]
fn a_package_alone_is_told_of_every_site_that_has_it() {
    let scratch = world();
    let text = scratch.read("envy.toml");
    scratch.envy("why lib").succeeds().says("required api -> app 1.0 (^1) -> lib 1.0 (>=1)\n  site     `api` in `");
    scratch.write("envy.toml", format!("{text}[sites.web.dependencies]\nlib = {{ recipe = 'lib', version = '1' }}\n"));
    scratch.envy("lock").succeeds();
    scratch.envy("why lib").succeeds().says("  site     `api` in `[SCRATCH]/project/.envy/sites/api`\nlib 1.0\n");
    let document = scratch.envy("why lib --json").succeeds().json();
    assert_eq!(document["site"], serde_json::Value::Null);
    assert_eq!((&document["found"][0]["site"], &document["found"][1]["site"]), (&"api".into(), &"web".into()));
    assert_eq!(scratch.envy("why app --json").succeeds().json()["site"], "api");
    scratch.envy("why nothing").ends(1).says("`nothing` is in no site and in no store");
}

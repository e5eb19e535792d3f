//! `envy why`: how a package came into a site, and which package a file is of.

use expect_test::expect;

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
    scratch.envy("build").succeeds();
    scratch
}

#[test]
fn a_package_is_there_because_others_need_it() {
    let scratch = world();
    scratch.envy("why api lib").ok(expect![[r#"
        --- stdout ---
        lib 1.0
          source   recipe+lib
          recipe   `lib`
          output   sha256:[..] of action sha256:[..]
          required api -> app 1.0 (^1) -> lib 1.0 (>=1)
    "#]]);
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
    scratch.envy("why api share/lib").ok(expect![[r#"
        --- stdout ---
        share/lib: sha256:[..], 3 bytes, from `lib`
        lib 1.0
          source   recipe+lib
          recipe   `lib`
          output   sha256:[..] of action sha256:[..]
          required api -> app 1.0 (^1) -> lib 1.0 (>=1)
    "#]]);
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

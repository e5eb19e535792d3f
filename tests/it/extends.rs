//! Sites that extend others.

use expect_test::expect;

use crate::scratch::Scratch;

/// A package that says which version it is.
fn recipe(name: &str) -> String {
    format!(
        "summary = 'A package'\n[versions.'1.0']\n[versions.'2.0']\n[[step]]\nname = 'build'\nrun = '''\n\
         mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/share\n\
         echo {name} {{{{ version }}}} >{{{{ destdir }}}}{{{{ prefix }}}}/share/{name}\n'''\n"
    )
}

const MANIFEST: &str = "\
[sites.base.dependencies]
one = { recipe = 'one', version = '1' }

[sites.base.env]
GREETING = 'hello from {site} at {port}'

[sites.base.vars]
port = 80

[sites.base.files]
'etc/port' = { text = '{{ port }}' }

[sites.api]
extends = ['base']

[sites.api.vars]
port = 8080

[sites.api.dependencies]
two = { recipe = 'two' }
";

fn world() -> Scratch {
    let scratch = Scratch::new();
    for name in ["one", "two", "three"] {
        scratch.write(format!("recipes/{name}.toml"), recipe(name));
    }
    scratch.write("envy.toml", MANIFEST);
    scratch
}

#[test]
fn a_site_has_what_it_extends_and_its_own_values_count() {
    let scratch = world();
    scratch.envy("build").succeeds();
    let current = |path: &str| scratch.read(format!(".envy/sites/{path}"));
    assert_eq!(current("api/current/share/one") + &current("api/current/share/two"), "one 1.0\ntwo 2.0\n");
    assert!(!scratch.path(".envy/sites/base/current/share/two").exists());
    assert_eq!((current("api/current/etc/port"), current("base/current/etc/port")), ("8080".into(), "80".into()));
    scratch.envy("run api -- printenv GREETING").ok(expect![[r#"
        --- stdout ---
        hello from api at 8080
    "#]]);
}

#[test]
fn what_changes_in_a_site_changes_in_those_that_extend_it() {
    let scratch = world();
    scratch.envy("build").succeeds();
    scratch.envy("add three --recipe three --site base").succeeds();
    assert!(scratch.path(".envy/sites/base/current/share/three").exists());
    assert!(scratch.path(".envy/sites/api/current/share/three").exists());
    scratch.envy("lock --check").succeeds();
    scratch.envy("remove three --site api").fails(
        1,
        expect![[r#"
        error: `envy.toml` does not require `three` for site `api`
        hint: site `base` requires it: run `envy remove three --site base`
    "#]],
    );
    scratch.envy("remove three --site base").succeeds();
    assert!(!scratch.path(".envy/sites/api/current/share/three").exists());
    scratch.envy("lock --check").succeeds();
    scratch.write("envy.toml", MANIFEST.replace("version = '1'", "version = '2'"));
    scratch.envy("lock --check api").ends(3).says("`one` is required at ^2, but locked at 1.0");
}

#[test]
fn an_entry_of_its_own_takes_the_place_of_one_that_is_inherited_and_two_parents_must_agree() {
    let scratch = world();
    let own = MANIFEST.to_owned() + "one = { recipe = 'one', version = '2' }\n";
    scratch.write("envy.toml", &own);
    scratch.envy("lock api").succeeds().says("+ one 2.0");

    let other = "[sites.other.dependencies]\none = { recipe = 'one', version = '2' }\n";
    scratch.write("envy.toml", MANIFEST.replace("['base']", "['base', 'other']") + other);
    scratch.envy("lock api").fails(
        6,
        expect![[r#"
            error: no choice of packages satisfies site `api`
              site `base` requires one ^1
              site `other` requires one ^2
            hint: ask for one ^2.0 in `envy.toml`, where site `base` does
            hint: ask for one ^1.0 in `envy.toml`, where site `other` does
        "#]],
    );
}

#[test]
fn a_site_that_others_extend_stays_until_they_do_no_more() {
    let scratch = world();
    scratch.envy("build").succeeds();
    scratch.envy("create web --from api").succeeds();
    assert!(scratch.read("envy.toml").contains("[sites.web]\nextends = ['base']\n"), "{}", scratch.read("envy.toml"));
    scratch.envy("lock --check web").succeeds();
    scratch.envy("delete base").fails(
        1,
        expect![[r#"
        error: site `base` cannot be deleted
          site `api` extends it
          site `web` extends it
        hint: take `base` out of `extends` in `envy.toml`, or delete those first
    "#]],
    );
    scratch.envy("delete api").succeeds();
    scratch.envy("delete web").succeeds();
    scratch.envy("delete base").succeeds();
}

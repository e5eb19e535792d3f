//! Files of a site's own: rendered into generations, and gone back to with them.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

const MANIFEST: &str = r##"[sites.api.dependencies]
hello = "1"

[sites.api.env]
HELLO_CONFIG = "{prefix}/etc/hello.toml"

[sites.api.vars]
port = 8001

[sites.api.files]
"etc/hello.toml" = { template = "templates/hello.toml.j2" }
"etc/token" = { file = "token", mode = "0600" }
"bin/start" = { text = "#!/bin/sh\nexec {{ prefix }}/bin/hello\n", mode = "0755" }
"##;

const TEMPLATE: &str = "port = {{ port }}\nversion = \"{{ packages.hello.version }}\"\ndata = \"{{ var }}\"\n";

/// A site with a program and files of its own, not built yet.
fn site(registry: &Registry) -> Scratch {
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(registry);
    scratch.write("envy.toml", MANIFEST).write("templates/hello.toml.j2", TEMPLATE).write("token", b"s3cr\xfft");
    scratch
}

/// A file that the site shows.
fn shown(scratch: &Scratch, path: &str) -> String {
    scratch.read(format!(".envy/sites/api/current/{path}")).replace(scratch.root().to_str().unwrap(), "[SCRATCH]")
}

fn edit(scratch: &Scratch, path: &str, from: &str, to: &str) {
    let text = scratch.read(path);
    assert!(text.contains(from), "{path} has no {from}");
    scratch.write(path, text.replace(from, to));
}

#[test]
fn files_are_rendered_into_the_generation_beside_the_programs() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build").succeeds();
    expect![[r#"
        port = 8001
        version = "1.0.0"
        data = "[SCRATCH]/project/.envy/sites/api/var"
    "#]]
    .assert_eq(&shown(&scratch, "etc/hello.toml"));
    let current = scratch.path(".envy/sites/api/current");
    assert_eq!(std::fs::read(current.join("etc/token")).unwrap(), b"s3cr\xfft");
    let mode = |path: &str| current.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        [mode("etc/hello.toml"), mode("etc/token"), mode("bin/start"), mode("etc")],
        [0o644, 0o600, 0o755, 0o755]
    );
    // A program of the prefix and a script of the site's own lie in one directory.
    assert_eq!(scratch.shell().sh(".envy/sites/api/current/bin/start").succeeds().stdout(), "hello 1.0.0\n");
    assert_eq!(scratch.envy("run api -- start").succeeds().stdout(), "hello 1.0.0\n");
    let described = scratch.read(".envy/sites/api/current/generation.json");
    assert!(described.contains("\"etc/token\": {\n      \"mode\": \"0600\","), "{described}");
}

#[test]
fn an_unchanged_site_does_nothing_and_a_changed_template_makes_a_generation_without_building() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build").succeeds();
    registry.go_away();
    scratch.without_rust().envy("build --locked --offline").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);

    edit(&scratch, "templates/hello.toml.j2", "port =", "listen =");
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          hello 1.0.0 (new)
          ! file `etc/hello.toml` changed
          `envy build api` mends it
    "#]]);
    scratch.without_rust().envy("build --locked --offline").ok(expect![[r#"
        switched site `api` to generation 3 (1 package)
          prefix sha256:[..]
    "#]]);
    assert!(shown(&scratch, "etc/hello.toml").starts_with("listen = 8001\n"));
    assert!(scratch.read(".envy/sites/api/generations/2/etc/hello.toml").starts_with("port = 8001\n"));

    edit(&scratch, "envy.toml", "port = 8001", "port = 8002");
    scratch.without_rust().envy("build --offline").succeeds();
    assert!(shown(&scratch, "etc/hello.toml").starts_with("listen = 8002\n"));
    edit(&scratch, "envy.toml", "mode = \"0600\"", "mode = \"0640\"");
    scratch.without_rust().envy("build --locked --offline").succeeds();
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 5, current
          hello 1.0.0 (recorded)
    "#]]);
}

#[test]
fn a_rollback_brings_the_old_files_back_and_holds_them() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build").succeeds();
    edit(&scratch, "templates/hello.toml.j2", "port =", "listen =");
    scratch.envy("build").succeeds();
    scratch.envy("rollback api").ok(expect![[r#"
        switched site `api` to generation 2
        note: site `api` is held at generation 2, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);
    assert!(shown(&scratch, "etc/hello.toml").starts_with("port = 8001\n"));
    scratch.envy("build --locked").ok(expect![[r#"
        note: site `api` is held at generation 2, until its lockfile or its configuration changes; `envy build api --switch` moves it
    "#]]);
    assert!(scratch.envy("status").succeeds().stdout().starts_with("api: generation 2, held\n"));
    // A template that was changed since is another one than what was turned away from.
    edit(&scratch, "templates/hello.toml.j2", "listen =", "bind =");
    scratch.envy("build --locked").succeeds();
    assert!(shown(&scratch, "etc/hello.toml").starts_with("bind = 8001\n"));
}

#[test]
fn a_template_that_is_wrong_is_told_with_its_line_and_nothing_is_switched() {
    let registry = Registry::new();
    let scratch = site(&registry);
    edit(&scratch, "templates/hello.toml.j2", "{{ port }}", "{{ prot }}");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
        error: file `etc/hello.toml` of site `api` cannot be made
          templates/hello.toml.j2:1: `prot` is undefined
            1 | port = {{ prot }}
        hint: did you mean `port`?
    "#]],
    );
    assert!(!scratch.path("lockfiles").exists(), "a failed build leaves no lockfile");
    assert!(!scratch.path(".envy/sites/api/current").exists());
    edit(&scratch, "templates/hello.toml.j2", "{{ prot }}", "{{ port }}");
    scratch.envy("build").succeeds();

    edit(&scratch, "templates/hello.toml.j2", "packages.hello", "packages.helo");
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: file `etc/hello.toml` of site `api` cannot be made
          templates/hello.toml.j2:2: `packages.helo` is undefined
            2 | version = "{{ packages.helo.version }}"
        hint: did you mean `packages.hello`?
    "#]],
    );
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          hello 1.0.0 (new)
          ! file `etc/hello.toml` of site `api` cannot be made: templates/hello.toml.j2:2: `packages.helo` is undefined
          `envy build api` mends it
    "#]]);
    edit(&scratch, "envy.toml", "{{ prefix }}", "{% if %}");
    edit(&scratch, "templates/hello.toml.j2", "packages.helo", "packages.hello");
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: file `bin/start` of site `api` cannot be made
          `text`:2: syntax error: unexpected end of block
            2 | exec {% if %}/bin/hello
          it stands in `envy.toml`, line 13
    "#]],
    );
    edit(&scratch, "envy.toml", "{% if %}", "{{ prefix }}");
    scratch.write("templates/hello.toml.j2", b"\xff");
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: file `etc/hello.toml` of site `api` cannot be made
          `templates/hello.toml.j2` is not UTF-8
          it stands in `envy.toml`, line 11
        hint: say `file` instead of `template`, to have its bytes as they are
    "#]],
    );
    std::fs::remove_file(scratch.path("templates/hello.toml.j2")).unwrap();
    scratch.envy("build --locked").fails(
        1,
        expect![[r#"
        error: file `etc/hello.toml` of site `api` cannot be made
          there is no `templates/hello.toml.j2`
          it stands in `envy.toml`, line 11
        hint: write `templates/hello.toml.j2`, or correct its path in `envy.toml`
    "#]],
    );
    scratch.envy("run api -- hello").fails(
        1,
        expect![[r#"
        error: file `etc/hello.toml` of site `api` cannot be made
          there is no `templates/hello.toml.j2`
          it stands in `envy.toml`, line 11
        hint: write `templates/hello.toml.j2`, or correct its path in `envy.toml`
    "#]],
    );
    assert_eq!(scratch.envy("run api --no-build -- hello").succeeds().stdout(), "hello 1.0.0\n");
    assert!(shown(&scratch, "etc/hello.toml").starts_with("port = 8001\n"));
    // What is asked for no longer goes with the next generation.
    edit(&scratch, "envy.toml", "\"etc/hello.toml\" = { template", "# { template");
    scratch.envy("build --locked").succeeds();
    assert!(!scratch.path(".envy/sites/api/current/etc/hello.toml").exists());
    assert!(scratch.path(".envy/sites/api/current/etc/token").exists());
}

#[test]
fn a_file_where_a_package_has_something_is_refused_until_that_is_left_out() {
    let registry = Registry::new();
    let scratch = site(&registry);
    edit(&scratch, "envy.toml", "bin/start", "bin/hello");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        fetched 1 file (702 B)
        locked 1 package for site `api`
          + hello 1.0.0
        building hello 1.0.0
        built hello 1.0.0 in [TIME]
        error: file `bin/hello` of site `api` lies where a package has something
          `bin/hello` is provided by hello 1.0.0
        hint: give the file another path, or leave that out: `hello = { …, without = ["bin/hello"] }` in `envy.toml`
    "#]],
    );
    assert!(!scratch.path(".envy/sites/api/current").exists());
    edit(&scratch, "envy.toml", "bin/hello\"", "bin/hello/start\"");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        locked 1 package for site `api`
          + hello 1.0.0
        error: file `bin/hello/start` of site `api` lies where a package has something
          `bin/hello` is provided by hello 1.0.0
        hint: give the file another path, or leave that out: `hello = { …, without = ["bin/hello"] }` in `envy.toml`
    "#]],
    );
    edit(&scratch, "envy.toml", "bin/hello/start\"", "bin/hello\"");
    edit(&scratch, "envy.toml", "hello = \"1\"", "hello = { version = \"1\", without = [\"bin/hello\"] }");
    scratch.envy("build").succeeds();
    assert!(shown(&scratch, "bin/hello").starts_with("#!/bin/sh\n"));
}

#[test]
fn names_of_the_generations_own_are_refused() {
    let registry = Registry::new();
    let scratch = site(&registry);
    edit(&scratch, "envy.toml", "etc/token", "lockfile");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:12:1: `lockfile` is a name that every generation has for itself
            12 | "lockfile" = { file = "token", mode = "0600" }
                 ^^^^^^^^^^
    "#]],
    );
    edit(&scratch, "envy.toml", "\"lockfile\"", "\"../../../envy.toml\"");
    scratch.envy("build").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:12:1: `../../../envy.toml` leads outside by `..`
            12 | "../../../envy.toml" = { file = "token", mode = "0600" }
                 ^^^^^^^^^^^^^^^^^^^^
        hint: write a path from the generation's directory, as in `etc/app.toml`
    "#]],
    );
}

#[test]
fn a_file_that_was_changed_by_hand_is_told_and_made_anew() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build").succeeds();
    scratch.shell().sh("echo port = 1 >.envy/sites/api/current/etc/hello.toml").succeeds();
    scratch.shell().sh("chmod 0644 .envy/sites/api/current/etc/token").succeeds();
    scratch.envy("status").ok(expect![[r#"
        --- stdout ---
        api: generation 2, drifted
          hello 1.0.0 (new)
          ! file `etc/hello.toml` of generation 2 was changed by hand
          ! file `etc/token` of generation 2 was changed by hand
          `envy build api` mends it
    "#]]);
    scratch.envy("build --locked").succeeds();
    assert!(shown(&scratch, "etc/hello.toml").starts_with("port = 8001\n"));
    assert_eq!(scratch.path(".envy/sites/api/current").read_link().unwrap().to_str(), Some("generations/3"));
}

#[test]
fn a_copied_site_has_the_files_and_a_site_may_have_nothing_else() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build").succeeds();
    scratch.envy("create web --from api").succeeds();
    scratch.envy("build web --locked").succeeds();
    assert!(scratch.read(".envy/sites/web/current/etc/hello.toml").contains("sites/web/var"));

    let scratch = Scratch::new();
    scratch.write("envy.toml", "[sites.a.files]\n'etc/motd' = { text = 'I am {{ site }}' }\n");
    scratch.envy("create b --from a").ok(expect![[r#"
        created site `b`
          run `envy build b` to fill it
    "#]]);
    scratch.envy("build").ok(expect![[r#"
        locked 0 packages for site `a`
        switched site `a` to generation 1 (0 packages)
          prefix sha256:[..]
        switched site `b` to generation 2 (0 packages)
          prefix sha256:[..]
    "#]]);
    assert_eq!(scratch.read(".envy/sites/b/current/etc/motd"), "I am b");
    scratch.envy("build --locked").ok(expect![[r#"
        unchanged site `a` is at generation 1
        unchanged site `b` is at generation 2
    "#]]);
    scratch.envy("status b").ok(expect![[r#"
        --- stdout ---
        b: generation 2, current
    "#]]);
}

#[test]
fn sites_elsewhere_have_one_path_however_it_was_written() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.envy("build --sites-dir ../elsewhere/../srv").succeeds();
    scratch.envy("build --sites-dir ../srv --locked").ok(expect![[r#"
        unchanged site `api` is at generation 2
    "#]]);
}

#[test]
fn no_package_has_what_a_generation_has_for_itself() {
    let scratch = Scratch::new();
    for name in ["generation.json", "lockfile"] {
        let run = format!(
            "mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/lib && echo > {{{{ destdir }}}}{{{{ prefix }}}}/{name}"
        );
        let recipe = format!("summary = 'x'\n[versions.'1.0']\n[[step]]\nname = 'go'\nrun = '{run}'\n");
        scratch.write("recipes/odd.toml", recipe);
        scratch.write("envy.toml", "[sites.api.dependencies]\nodd = { recipe = 'odd', version = '1' }\n");
        let outcome = scratch.envy("build");
        outcome.ends(1).says(&format!(
            "error: `{name}` of odd 1.0 lies where every generation of a site has a file for itself\n\
             hint: let its recipe install it elsewhere, as in `share/odd/{name}`, or leave it out: \
             `odd = {{ …, without = [\"{name}\"] }}` in `envy.toml`\n"
        ));
        assert!(!scratch.path("lockfiles/api.lock").exists(), "nothing is written");
        assert!(!scratch.path(".envy/sites/api/generations").exists(), "nothing is made");
        let without = format!("odd = {{ recipe = 'odd', version = '1', without = ['{name}'] }}");
        scratch.write("envy.toml", format!("[sites.api.dependencies]\n{without}\n")).envy("build").succeeds();
        scratch.shell().sh("rm -rf .envy lockfiles").succeeds();
    }
}

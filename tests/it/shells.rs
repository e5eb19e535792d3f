//! Shells in a site: started by envy, or made to use one by its script.

use expect_test::expect;

use crate::registry::{Crate, Registry};
use crate::scratch::Scratch;

fn site(registry: &Registry) -> Scratch {
    registry.publish(Crate::new("hello", "1.0.0").bin("hello"));
    let scratch = Scratch::with(registry);
    let env = "[sites.api.env]\nGREETING = \"it's {site}\"\n";
    scratch.write("envy.toml", format!("[sites.api.dependencies]\nhello = \"1\"\n{env}[sites.web]\n"));
    scratch.envy("build").succeeds();
    scratch
}

#[test]
fn a_shell_has_the_sites_variables_and_passes_its_exit_code_on() {
    let registry = Registry::new();
    let scratch = site(&registry);
    let outcome = scratch
        .env("SHELL", "/bin/sh")
        .sh(&format!("echo 'hello; echo $GREETING in $ENVY_GENERATION; exit 7' | {} shell api", crate::scratch::ENVY));
    assert_eq!(outcome.code(), 7);
    assert_eq!(outcome.stdout(), "hello 1.0.0\nit's api in 2\n");
    expect![[r#"
        entered site `api`; `exit` leaves it
    "#]]
    .assert_eq(outcome.stderr());
    // Without SHELL, it is the one that every host has.
    scratch
        .shell()
        .env_remove("SHELL")
        .sh(&format!("{} -q shell api --no-build </dev/null", crate::scratch::ENVY))
        .succeeds();
    scratch.env("SHELL", "/none").envy("shell api").fails(
        127,
        expect![[r#"
        error: `/none` could not be started in site `api`: No such file or directory (os error 2)
          the site has `hello`
    "#]],
    );
}

#[test]
fn a_shell_inside_of_a_site_is_refused() {
    let registry = Registry::new();
    let scratch = site(&registry);
    scratch.env("ENVY_SITE", "api").envy("shell web").fails(
        1,
        expect![[r#"
        error: this is inside of site `api` already: `ENVY_SITE` is set
        hint: leave it first: by `exit`, or by `deactivate` where its script was read
    "#]],
    );
    scratch.envy("shell wbe").fails(
        1,
        expect![[r#"
        error: there is no site `wbe` in `envy.toml`
        hint: did you mean `web`?
    "#]],
    );
}

#[test]
fn a_shell_uses_a_site_by_the_script_that_is_printed() {
    let registry = Registry::new();
    let scratch = site(&registry);
    let used = "hello; echo $GREETING; deactivate; echo ${GREETING-gone}; ! command -v hello";
    for shell in ["sh", "bash"] {
        let script = format!("eval \"$({} activate api --shell {shell})\"; {used}", crate::scratch::ENVY);
        let outcome =
            scratch.env("SHELL", "/usr/bin/fish").sh(&format!("{shell} -c '{}'", script.replace('\'', "'\\''")));
        assert_eq!(outcome.succeeds().stdout(), "hello 1.0.0\nit's api\ngone\n");
    }
    let fish = scratch.env("SHELL", "/usr/bin/fish").envy("activate api");
    assert_eq!(fish.stdout(), scratch.read(".envy/sites/api/activate.fish"));
    assert_eq!(
        scratch.env("SHELL", "/bin/dash").envy("activate api").succeeds().stdout(),
        scratch.read(".envy/sites/api/activate")
    );
    scratch.env("SHELL", "/bin/xonsh").envy("activate api").fails(
        1,
        expect![[r#"
        error: there is no script for `/bin/xonsh`, the shell that `SHELL` names
        hint: say which one to print, as in `--shell sh`
    "#]],
    );
    scratch.write("envy.toml", scratch.read("envy.toml") + "[sites.new]\n");
    scratch.envy("activate new --shell zsh").fails(
        1,
        expect![[r#"
        error: site `new` is not built
        hint: run `envy build new`
    "#]],
    );
}

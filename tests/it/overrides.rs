//! `[overrides]`: what takes the place of a package, whoever asks for it.

use expect_test::expect;

use crate::scratch::Scratch;

/// A package that says which version it is, and which words it was given.
const THING: &str = r#"
summary = "A thing"
[versions."1.0"]
[versions."2.0"]
[params]
words = { type = "list", doc = "What it says." }
kind = { type = "string", default = "plain", doc = "What it is." }
[[step]]
name = "build"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/share
echo thing {{ version }} {{ kind }} {{ words | join(",") }} >{{ destdir }}{{ prefix }}/share/thing
'''
"#;

/// Another that could stand for it.
const OTHER: &str = r#"
summary = "Another thing"
[versions."7.0"]
[[step]]
name = "build"
run = '''
mkdir -p {{ destdir }}{{ prefix }}/share
echo another {{ version }} >{{ destdir }}{{ prefix }}/share/thing
'''
"#;

fn user(need: &str) -> String {
    format!(
        "summary = 'What needs a thing'\ndependencies = {{ thing = {need} }}\n[versions.'1.0']\n[[step]]\n\
         name = 'build'\nrun = 'mkdir -p {{{{ destdir }}}}{{{{ prefix }}}}/share; echo >{{{{ destdir }}}}{{{{ prefix }}}}/share/user'\n"
    )
}

fn world(need: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("recipes/thing.toml", THING).write("recipes/other.toml", OTHER);
    scratch.write("recipes/user.toml", user(need));
    overridden(&scratch, "");
    scratch
}

fn overridden(scratch: &Scratch, overrides: &str) {
    let site = "[sites.api.dependencies]\nuser = { recipe = 'user' }\n";
    scratch.write("envy.toml", format!("{site}[overrides]\n{overrides}\n"));
}

fn built(scratch: &Scratch) -> String {
    scratch.envy("build").succeeds();
    scratch.read(".envy/sites/api/current/share/thing")
}

#[test]
fn a_version_of_an_override_counts_though_others_need_another() {
    let scratch = world("'2'");
    scratch.envy("lock").succeeds().says("+ thing 2.0");
    overridden(&scratch, "thing = { recipe = 'thing', version = '1' }");
    scratch.envy("lock --check").ends(3).says("`thing` is required at ^1, but locked at 2.0");
    scratch.envy("lock").succeeds().says("~ thing 2.0 -> 1.0");
    scratch.envy("lock --check").succeeds();
}

#[test]
fn another_recipe_and_another_source_take_the_place_of_what_is_needed() {
    let scratch = world("'2'");
    assert_eq!(built(&scratch), "thing 2.0 plain \n");
    overridden(&scratch, "thing = { recipe = 'other' }");
    assert_eq!(built(&scratch), "another 7.0\n");

    scratch.write("mine/thing", "mine\n");
    overridden(&scratch, "thing = { path = 'mine', recipe = 'unpack', install = { 'share/thing' = 'thing' } }");
    assert_eq!(built(&scratch), "mine\n");
    scratch.envy("build").succeeds().says("unchanged");
    scratch.write("mine/thing", "mine, changed\n");
    assert_eq!(built(&scratch), "mine, changed\n");
}

#[test]
fn params_of_those_who_ask_stay_but_for_those_that_the_override_gives() {
    let scratch = world("{ params = { words = ['b', 'a'], kind = 'fine' } }");
    let site = "[sites.api.dependencies]\nuser = { recipe = 'user' }\n\
                thing = { recipe = 'thing', params = { words = ['c'] } }\n";
    let thing = |params: &str| format!("{site}[overrides]\nthing = {{ recipe = 'thing', version = '1'{params} }}\n");
    scratch.write("envy.toml", thing(""));
    assert_eq!(built(&scratch), "thing 1.0 fine a,b,c\n");
    scratch.write("envy.toml", thing(", params = { words = ['d'], kind = 'odd' }"));
    assert_eq!(built(&scratch), "thing 1.0 odd d\n");
}

#[test]
fn an_override_requires_nothing_by_itself() {
    let scratch = world("'2'");
    scratch.envy("lock").succeeds();
    let locked = scratch.read("lockfiles/api.lock");
    overridden(&scratch, "zlib = { recipe = 'zlib', version = '99' }");
    scratch.envy("lock --check").succeeds();
    scratch.envy("lock").succeeds().says("`zlib` stands under `[overrides]`, and no site has it");
    assert_eq!(scratch.read("lockfiles/api.lock"), locked);
    // What another site has is of use there.
    scratch.write("envy.toml", scratch.read("envy.toml") + "thing = { recipe = 'thing' }\n[sites.web]\n");
    scratch.envy("lock web").succeeds().says("`zlib` stands").never_says("`thing` stands");
}

#[test]
fn an_override_that_cannot_be_is_told_as_one() {
    let scratch = world("'2'");
    overridden(&scratch, "thing = { recipe = 'thing', version = '9' }");
    scratch.envy("lock").ends(6).says("`[overrides]` requires thing ^9");
    overridden(&scratch, "thing = { recipe = 'thnig' }");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: there is no recipe `thnig`
        hint: did you mean `thing`?
    "#]],
    );
    overridden(&scratch, "thing = { recipe = 'thing', verison = '1' }");
    scratch.envy("lock").fails(
        1,
        expect![[r#"
        error: `envy.toml` has 1 error
          envy.toml:4:29: unknown key `verison`
            4 | thing = { recipe = 'thing', verison = '1' }
                                            ^^^^^^^
        hint: did you mean `version`?
    "#]],
    );
}

//! What an edit changes in a text, and what it leaves alone.

use expect_test::{Expect, expect};

use super::edit::{
    EditError, NewDependency, Where, add_dependency, copy_site, create_site, delete_site, initial, remove_dependency,
};
use super::{Manifest, Param, SiteName};

const BEFORE: &str = r#"# Our services.

[project]
name = "x"   # short

[dependencies] # every site
# small tools

# runs recipes
just = "1" # keep
bat.version = "0.24"  # dotted

[sites.b]

# The first site.
[sites.a]

# what it serves
[sites.a.dependencies]
ripgrep = { version = "14", features = ["pcre2"] } # search
[sites.a.dependencies.fd]
version = "8" # find
default-features = false

[sites.a.env]
A = "1" # one

# How envy behaves.
[settings]
sandbox = "auto"
# the end
"#;

/// What an edit did.
struct Done(String);

impl Done {
    fn is(self, expected: Expect) {
        expected.assert_eq(&self.0);
    }
}

/// The lines that an edit took out and put in.
fn check(before: &str, after: Result<String, EditError>) -> Done {
    match after {
        Ok(after) => {
            Manifest::parse("envy.toml", &after).expect(&after);
            Done(difference(before, &after))
        }
        Err(error) => Done(format!("error: {error}")),
    }
}

/// A diff by longest common subsequence, with a line of context.
fn difference(before: &str, after: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let longest = common[i + 1][j].max(common[i][j + 1]);
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { longest };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', a[i]));
            i += 1;
        } else {
            lines.push(('+', b[j]));
            j += 1;
        }
    }
    let changed = |at: usize| lines.get(at).is_some_and(|(sign, _)| *sign != ' ');
    let near = |at: usize| changed(at) || changed(at + 1) || (at > 0 && changed(at - 1));
    let shown = (0..lines.len()).filter(|at| near(*at));
    shown.map(|at| format!("{}{}", lines[at].0, lines[at].1).trim_end().to_owned() + "\n").collect()
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

fn version(version: &str) -> NewDependency {
    NewDependency { version: Some(version.into()), ..NewDependency::default() }
}

fn add(before: &str, to: Option<&str>, name: &str, new: &NewDependency) -> Done {
    let to = to.map(site);
    let table = to.as_ref().map_or(Where::Shared, Where::Site);
    check(before, add_dependency(before, table, &name.parse().unwrap(), new))
}

fn remove(before: &str, from: Option<&str>, name: &str) -> Done {
    let from = from.map(site);
    let table = from.as_ref().map_or(Where::Shared, Where::Site);
    let after = remove_dependency(before, table, &name.parse().unwrap());
    check(before, after.map(|after| after.expect("it is there")))
}

#[test]
fn a_new_dependency_is_written_as_briefly_as_it_can_be() {
    add(BEFORE, None, "sd", &version("1")).is(expect![[r#"
         bat.version = "0.24"  # dotted
        +sd = "1"

    "#]]);
    add(BEFORE, Some("a"), "sd", &version("1")).is(expect![[r#"
         ripgrep = { version = "14", features = ["pcre2"] } # search
        +sd = "1"
         [sites.a.dependencies.fd]
    "#]]);
    add(BEFORE, Some("b"), "sd", &version("1")).is(expect![[r#"

        +[sites.b.dependencies]
        +sd = "1"
        +
         # The first site.
    "#]]);
    add("", None, "sd", &version("1")).is(expect![[r#"
        +[dependencies]
        +sd = "1"
    "#]]);
    let params = [("static", Param::Bool(true)), ("lto", Param::Int(1)), ("bins", Param::List(vec!["sd".into()]))];
    let full = NewDependency {
        version: Some("^1".into()),
        features: vec!["x".into(), "y".into()],
        params: params.map(|(name, param)| (name.to_owned(), param)).into(),
        ..NewDependency::default()
    };
    add(BEFORE, Some("a"), "sd", &full).is(expect![[r#"
         ripgrep = { version = "14", features = ["pcre2"] } # search
        +sd = { version = "^1", features = ["x", "y"], bins = ["sd"], params = { lto = 1 }, static = true }
         [sites.a.dependencies.fd]
    "#]]);
    add(BEFORE, Some("c"), "sd", &version("1")).is(expect!["error: there is no site `c`"]);
}

#[test]
fn of_an_entry_that_is_there_only_the_version_changes() {
    add(BEFORE, None, "just", &version("2")).is(expect![[r#"
         # runs recipes
        -just = "1" # keep
        +just = "2" # keep
         bat.version = "0.24"  # dotted
    "#]]);
    add(BEFORE, None, "bat", &version("2")).is(expect![[r#"
         just = "1" # keep
        -bat.version = "0.24"  # dotted
        +bat.version = "2"  # dotted

    "#]]);
    add(BEFORE, Some("a"), "ripgrep", &version("15")).is(expect![[r#"
         [sites.a.dependencies]
        -ripgrep = { version = "14", features = ["pcre2"] } # search
        +ripgrep = { version = "15", features = ["pcre2"] } # search
         [sites.a.dependencies.fd]
    "#]]);
    add(BEFORE, Some("a"), "fd", &version("9")).is(expect![[r#"
         [sites.a.dependencies.fd]
        -version = "8" # find
        +version = "9" # find
         default-features = false
    "#]]);
}

#[test]
fn features_and_params_join_those_that_are_there() {
    let more = NewDependency {
        version: Some("2".into()),
        features: vec!["pcre2".into(), "simd".into()],
        ..NewDependency::default()
    };
    add(BEFORE, None, "just", &more).is(expect![[r#"
         # runs recipes
        -just = "1" # keep
        +just = { version = "2", features = ["pcre2", "simd"] } # keep
         bat.version = "0.24"  # dotted
    "#]]);
    add(BEFORE, None, "bat", &more).is(expect![[r#"
         just = "1" # keep
        -bat.version = "0.24"  # dotted
        +bat.version = "2"  # dotted
        +bat.features = ["pcre2", "simd"]

    "#]]);
    add(BEFORE, Some("a"), "ripgrep", &more).is(expect![[r#"
         [sites.a.dependencies]
        -ripgrep = { version = "14", features = ["pcre2"] } # search
        +ripgrep = { version = "2", features = ["pcre2", "simd"] } # search
         [sites.a.dependencies.fd]
    "#]]);
    let all = NewDependency { params: [("no-default-features".to_owned(), Param::Bool(true))].into(), ..version("9") };
    add(BEFORE, Some("a"), "fd", &all).is(expect![[r#"
         [sites.a.dependencies.fd]
        -version = "8" # find
        -default-features = false
        +version = "9" # find
        +no-default-features = true

    "#]]);
    let long = "[dependencies]\nx = { version = \"1\", params = { features = [\"a\"] } } # why\n";
    add(long, None, "x", &more).is(expect![[r#"
         [dependencies]
        -x = { version = "1", params = { features = ["a"] } } # why
        +x = { version = "2", params = { features = ["a", "pcre2", "simd"] } } # why
    "#]]);
}

#[test]
fn inline_and_dotted_tables_are_edited_in_their_style() {
    add("dependencies = { a = \"1\" } # all\n", None, "b", &version("2")).is(expect![[r#"
        -dependencies = { a = "1" } # all
        +dependencies = { a = "1", b = "2" } # all
    "#]]);
    add("sites = { a = {} }\n", Some("a"), "b", &version("2")).is(expect![[r#"
        -sites = { a = {} }
        +sites = { a = { dependencies = { b = "2" } } }
    "#]]);
    add("[sites]\na.dependencies.x = \"1\"\n", Some("a"), "b", &version("2")).is(expect![[r#"
         a.dependencies.x = "1"
        +a.dependencies.b = "2"
    "#]]);
    add("sites.a.vars.x = 1\n", Some("a"), "b", &version("2")).is(expect![[r#"
         sites.a.vars.x = 1
        +
        +[sites.a.dependencies]
        +b = "2"
    "#]]);
    add("[dependencies]\nx = { features = [] }\n", None, "x", &version("2")).is(expect![[r#"
         [dependencies]
        -x = { features = [] }
        +x = { features = [], version = "2" }
    "#]]);
    let lines = "[dependencies]\nx = {\n  version = \"1\", # one\n  bins = [] # two\n}\n";
    add(lines, None, "x", &NewDependency { features: vec!["y".into()], ..version("2") }).is(expect![[r#"
         x = {
        -  version = "1", # one
        +  version = "2", # one
           bins = [] # two
        -}
        +, features = ["y"] }
    "#]]);
    add("[dependencies]\nx = \"1\" # why\n", None, "y", &version("2")).is(expect![[r#"
         x = "1" # why
        +y = "2"
    "#]]);
    add("[sites.a]\n# end", None, "y", &version("2")).is(expect![[r#"
         [sites.a]
        +
        +[dependencies]
        +y = "2"
         # end
    "#]]);
    remove("dependencies = { a = \"1\", b = \"2\" } # all\n", None, "b").is(expect![[r#"
        -dependencies = { a = "1", b = "2" } # all
        +dependencies = { a = "1" } # all
    "#]]);
}

#[test]
fn another_source_takes_the_place_of_the_one_that_was_there() {
    let from = |source: &[(&'static str, &str)], version: Option<&str>| NewDependency {
        source: source.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
        version: version.map(str::to_owned),
        ..NewDependency::default()
    };
    let before = "[dependencies]\nx = { git = \"/x\", version = \"^1\", features = [\"y\"], tag = \"v1\" }\n";
    add(before, None, "x", &from(&[("git", "/y"), ("branch", "main")], None)).is(expect![[r#"
         [dependencies]
        -x = { git = "/x", version = "^1", features = ["y"], tag = "v1" }
        +x = { git = "/y", features = ["y"], branch = "main" }
    "#]]);
    add(before, None, "x", &from(&[("git", "/y")], Some("2"))).is(expect![[r#"
         [dependencies]
        -x = { git = "/x", version = "^1", features = ["y"], tag = "v1" }
        +x = { git = "/y", version = "2", features = ["y"] }
    "#]]);
}

#[test]
fn a_removed_dependency_takes_only_its_own_comment_along() {
    remove(BEFORE, None, "just").is(expect![[r#"

        -# runs recipes
        -just = "1" # keep
         bat.version = "0.24"  # dotted
    "#]]);
    remove(BEFORE, None, "bat").is(expect![[r#"
         just = "1" # keep
        -bat.version = "0.24"  # dotted

    "#]]);
    remove(BEFORE, Some("a"), "ripgrep").is(expect![[r#"
         [sites.a.dependencies]
        -ripgrep = { version = "14", features = ["pcre2"] } # search
         [sites.a.dependencies.fd]
    "#]]);
    remove(BEFORE, Some("a"), "fd").is(expect![[r#"
         ripgrep = { version = "14", features = ["pcre2"] } # search
        -[sites.a.dependencies.fd]
        -version = "8" # find
        -default-features = false

    "#]]);
    remove("[dependencies]\n# tools\n\njust = \"1\"\n\n[settings]\n", None, "just").is(expect![[r#"

        -just = "1"
        -
         [settings]
    "#]]);
    remove("[dependencies]\n# tools\n\njust = \"1\"\n# end\n", None, "just").is(expect![[r#"

        -just = "1"
         # end
    "#]]);
    remove("[dependencies]\n# tools\n\nx.version = \"1\"\ny = \"1\"\n", None, "x").is(expect![[r#"

        -x.version = "1"
         y = "1"
    "#]]);
    let nothing = remove_dependency(BEFORE, Where::Shared, &"fd".parse().unwrap()).unwrap();
    assert_eq!(nothing, None);
    let nowhere = remove_dependency(BEFORE, Where::Site(&site("c")), &"fd".parse().unwrap()).unwrap_err();
    assert_eq!(nowhere.to_string(), "there is no site `c`");
}

#[test]
fn a_new_site_follows_the_last_one() {
    check(BEFORE, create_site(BEFORE, &site("c"))).is(expect![[r#"

        +[sites.c]
        +
         # How envy behaves.
    "#]]);
    check("", create_site("", &site("c"))).is(expect![[r#"
        +[sites.c]
    "#]]);
    let bare = "[dependencies]\n# just = \"1\"\n";
    check(bare, create_site(bare, &site("c"))).is(expect![[r#"
         # just = "1"
        +
        +[sites.c]
    "#]]);
    let inline = "sites = { a = {} }\n";
    check(inline, create_site(inline, &site("c"))).is(expect![[r#"
        -sites = { a = {} }
        +sites = { a = {}, c = {} }
    "#]]);
    let short = "[sites]\na = {}\n";
    check(short, create_site(short, &site("c"))).is(expect![[r#"
         a = {}
        +
        +[sites.c]
    "#]]);
    check(BEFORE, create_site(BEFORE, &site("a"))).is(expect!["error: site `a` is there already"]);
    check("sites = 1", create_site("sites = 1", &site("a"))).is(expect!["error: `sites` is not a table"]);
    check("sites = ", create_site("sites = ", &site("a"))).is(expect!["error: could not read the manifest as TOML"]);
}

#[test]
fn a_copied_site_has_everything_of_the_original() {
    check(BEFORE, copy_site(BEFORE, &site("a"), &site("c"))).is(expect![[r#"

        +[sites.c]
        +
        +# what it serves
        +[sites.c.dependencies]
        +ripgrep = { version = "14", features = ["pcre2"] } # search
        +[sites.c.dependencies.fd]
        +version = "8" # find
        +default-features = false
        +
        +[sites.c.env]
        +A = "1" # one
        +
         # How envy behaves.
    "#]]);
    let dotted = "[sites]\na.dependencies.x = \"1\" # why\na.vars = { x = 1 }\n";
    check(dotted, copy_site(dotted, &site("a"), &site("c"))).is(expect![[r#"
         a.vars = { x = 1 }
        +c.dependencies.x = "1" # why
        +c.vars = { x = 1 }
    "#]]);
    let headless = "# top\n[sites.a.env]\nA = \"1\"\n# end\n";
    check(headless, copy_site(headless, &site("a"), &site("c"))).is(expect![[r#"
         # end
        +
        +[sites.c.env]
        +A = "1"
    "#]]);
    let files = "[sites.a.files] # its own\n'etc/x' = { text = 'x' } # x\n\n[sites.a.files.'etc/y']\ntext = 'y'\n";
    check(files, copy_site(files, &site("a"), &site("c"))).is(expect![[r#"
         text = 'y'
        +
        +[sites.c.files] # its own
        +'etc/x' = { text = 'x' } # x
        +
        +[sites.c.files.'etc/y']
        +text = 'y'
    "#]]);
    check(BEFORE, copy_site(BEFORE, &site("z"), &site("c"))).is(expect!["error: there is no site `z`"]);
    check(BEFORE, copy_site(BEFORE, &site("a"), &site("b"))).is(expect!["error: site `b` is there already"]);
}

#[test]
fn a_deleted_site_leaves_the_comments_of_others() {
    check(BEFORE, delete_site(BEFORE, &site("a"))).is(expect![[r#"

        -# The first site.
        -[sites.a]
        -
        -# what it serves
        -[sites.a.dependencies]
        -ripgrep = { version = "14", features = ["pcre2"] } # search
        -[sites.a.dependencies.fd]
        -version = "8" # find
        -default-features = false
        -
        -[sites.a.env]
        -A = "1" # one
        -
         # How envy behaves.
    "#]]);
    check(BEFORE, delete_site(BEFORE, &site("b"))).is(expect![[r#"

        -[sites.b]
        -
         # The first site.
    "#]]);
    check(BEFORE, delete_site(BEFORE, &site("c"))).is(expect!["error: there is no site `c`"]);
    let first = "# Our services.\n\n# The site.\n[sites.a]\n\n[settings]\n";
    check(first, delete_site(first, &site("a"))).is(expect![[r#"

        -# The site.
        -[sites.a]
        -
         [settings]
    "#]]);
    let last = "[settings]\n\n# Sites follow.\n\n[sites.a]\n[sites.a.env]\n# end\n";
    check(last, delete_site(last, &site("a"))).is(expect![[r#"

        -[sites.a]
        -[sites.a.env]
         # end
    "#]]);
}

#[test]
fn what_init_writes_can_be_read_and_edited() {
    let bare = initial("a \"quoted\" name", None);
    let name = Manifest::parse("envy.toml", &bare).unwrap().project_name().map(str::to_owned);
    assert_eq!(name.as_deref(), Some("a \"quoted\" name"));
    check("", Ok(initial("ljworld", Some("1.95")))).is(expect![[r#"
        +# What the sites of this project have. Commit this file and `lockfiles/`; `envy help` lists the commands.
        +
        +[project]
        +name = "ljworld"
        +envy = ">=0.1"                       # an older envy refuses this file
        +
        +[toolchain]
        +rust = "1.95"                        # what crates are built with; lockfiles pin the exact rustc
        +
        +[dependencies]                       # every site has these
        +# just = "1"                         # a bare version is a crate from crates.io that has binaries
    "#]]);
    let created = create_site(&initial("ljworld", Some("1.95")), &site("api")).unwrap();
    let added = add_dependency(&created, Where::Shared, &"just".parse().unwrap(), &version("1")).unwrap();
    check(&initial("ljworld", Some("1.95")), Ok(added)).is(expect![[r#"
         [dependencies]                       # every site has these
        +just = "1"
         # just = "1"                         # a bare version is a crate from crates.io that has binaries
        +
        +[sites.api]
    "#]]);
}

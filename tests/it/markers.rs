//! Lockfiles that hold the markers of a merge, and what `envy init` says of merging.

use crate::scratch::Scratch;

const RECIPE: &str = "summary = 'x'\n[versions.'1.0']\n[versions.'2.0']\n[[step]]\nname = 'go'\nrun = 'true'\n";

fn require(scratch: &Scratch, names: &[&str]) {
    let lines: String = names.iter().map(|name| format!("{name} = {{ recipe = '{name}' }}\n")).collect();
    scratch.write("envy.toml", format!("[sites.api.dependencies]\n{lines}"));
}

#[test]
fn locking_merges_both_sides_of_a_lockfile_with_markers() {
    let scratch = Scratch::new();
    for name in ["a", "b", "c"] {
        scratch.write(format!("recipes/{name}.toml"), RECIPE);
    }
    let locked = |names: &[&str]| {
        require(&scratch, names);
        scratch.envy("lock").succeeds();
        scratch.read("lockfiles/api.lock")
    };
    let (ours, theirs) = (locked(&["a", "b"]), locked(&["a", "c"]).replace("version = \"2.0\"", "version = \"1.0\""));
    let both = format!("<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> topic\n");
    require(&scratch, &["a", "b", "c"]);
    scratch.write("lockfiles/api.lock", &both);
    scratch.envy("build --locked").ends(3).says("holds conflict markers of a merge").says("envy lock api");
    scratch.envy("lock").succeeds().says("holds both sides of a merge");
    scratch.envy("lock --check").succeeds();
    let merged = scratch.read("lockfiles/api.lock");
    assert!(["a", "b", "c"].iter().all(|name| merged.contains(&format!("name = \"{name}\""))), "{merged}");
    let cut_short = both.replace(">>>>>>> topic\n", "");
    scratch.write("lockfiles/api.lock", &cut_short);
    scratch.envy("lock").ends(3);
    assert_eq!(scratch.read("lockfiles/api.lock"), cut_short);
}

#[test]
fn markers_stay_where_their_sides_cannot_be_locked() {
    let scratch = Scratch::new();
    scratch.write("recipes/a.toml", RECIPE);
    require(&scratch, &["a"]);
    scratch.envy("lock").succeeds();
    let side = scratch.read("lockfiles/api.lock");
    let both = format!("<<<<<<< HEAD\n{side}=======\n{side}>>>>>>> topic\n");
    scratch.write("lockfiles/api.lock", &both);
    scratch.write("envy.toml", "[sites.api.dependencies]\na = { recipe = 'a', version = '7' }\n");
    scratch.envy("lock").ends(6);
    assert_eq!(scratch.read("lockfiles/api.lock"), both);
}

#[test]
fn a_project_in_a_repository_has_its_lockfiles_merged() {
    let scratch = Scratch::new();
    scratch.write(".git/HEAD", "ref: refs/heads/main\n").write(".gitattributes", "*.png binary");
    scratch.envy("init").succeeds().says("git config merge.envy.driver");
    assert_eq!(scratch.read(".gitattributes"), "*.png binary\nlockfiles/*.lock merge=envy\n");
}

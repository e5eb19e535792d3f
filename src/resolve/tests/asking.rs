//! Who is asked what he requires: nobody whose answer may not matter, since answers may have to be fetched.

use std::cell::{Cell, RefCell};

use super::*;

/// A universe that notes who is asked, until only hints follow.
struct Watched {
    universe: Universe,
    asked: RefCell<Vec<String>>,
    only_hints: Cell<bool>,
}

impl Index for Watched {
    type Error = Infallible;

    fn candidates(&self, name: &PackageName) -> Result<Option<Vec<Candidate>>, Infallible> {
        self.universe.candidates(name)
    }

    fn requirements(&self, id: &PackageId) -> Result<Vec<Requirement>, Infallible> {
        if !self.only_hints.get() {
            self.asked.borrow_mut().push(id.to_string());
        }
        self.universe.requirements(id)
    }

    fn only_hints_follow(&self) {
        self.only_hints.set(true);
    }

    fn owner(&self, name: &PackageName) -> String {
        self.universe.owner(name)
    }

    fn written(&self, name: &PackageName, versions: &Range) -> Option<String> {
        self.universe.written(name, versions)
    }

    fn similar(&self, name: &PackageName) -> Vec<String> {
        self.universe.similar(name)
    }
}

/// Who is asked where a site requires this of `app`, and a `lib` that its higher versions do not take.
fn asked(app: &str, is_solved: bool) -> Vec<String> {
    let universe = Universe::default()
        .with("app", &["1.0.0", "1.1.0", "2.0.0", "2.1.0"])
        .with("lib", &["1.0.0", "1.1.0", "2.0.0"])
        .requires("app 1.0.0", "lib", "1")
        .requires("app 1.1.0", "lib", "1")
        .requires("app 2.0.0", "lib", ">=2")
        .requires("app 2.1.0", "lib", ">=2");
    let index = Watched { universe, asked: RefCell::default(), only_hints: Cell::new(false) };
    let requirements = [asks("site `a`", "app", app), asks("site `a`", "lib", "1")];
    let problem = Problem { requirements: &requirements, preferred: &BTreeMap::new(), strategy: Strategy::Highest };
    assert_eq!(super::super::solve(&problem, &index).unwrap().is_ok(), is_solved);
    let mut asked = index.asked.into_inner();
    asked.sort();
    asked
}

#[test]
fn versions_below_the_one_that_is_chosen_are_not_asked() {
    assert_eq!(asked("*", true), ["app 1.1.0", "app 2.0.0", "app 2.1.0", "lib 1.1.0"]);
}

#[test]
fn why_there_is_no_choice_is_told_without_asking_others() {
    assert_eq!(asked("2", false), ["app 2.0.0", "app 2.1.0"]);
}

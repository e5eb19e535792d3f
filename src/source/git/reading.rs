//! Reading a commit with its submodules: every file into the store, from copies that are made anew where they are damaged.

use super::checkout::{self, Budget};
use super::objects::ReadError;
use super::place::{self, Place};
use super::{Checkout, Error, Git, LOCAL, Submodule, WantedCommit, may_lead_to, of_problem};
use crate::digest::Commit;
use crate::progress::{Event, Progress};
use crate::store::Store;
use crate::tree::Node;

impl Git<'_> {
    /// Read a commit's files, and those of its submodules, into the store. What is not here yet is fetched; a copy that is
    /// damaged is made anew.
    pub fn tree(&self, url: &str, commit: &Commit, store: &Store, progress: &dyn Progress) -> Result<Checkout, Error> {
        let wanted = WantedCommit { name: place::shown(url), url: url.to_owned(), commit: *commit, reference: None };
        if !self.has(url, commit) {
            self.fetch(std::slice::from_ref(&wanted), progress).remove(0)?;
        }
        let read = || self.read(url, commit, "", store, &mut Budget::new(self.settings.largest));
        let checkout = match read() {
            Err(error) if error.is_damage() && !self.is_offline() && self.forget(url, commit, progress)? => {
                let text = format!("the copy of `{}` is damaged, and made anew ({error})", wanted.name);
                progress.tell(Event::Note(&text));
                self.fetch(&[wanted], progress).remove(0)?;
                read()?
            }
            read => read?,
        };
        crate::disk::sync_file_system(store.root())?;
        store.put_tree(&checkout.tree)?;
        Ok(checkout)
    }

    /// Forget the copies of a repository and of the submodules of a commit; says whether there are any to be made anew.
    fn forget(&self, url: &str, commit: &Commit, progress: &dyn Progress) -> Result<bool, Error> {
        let place = Place::of(url, &self.mirrors)?;
        if place.address.is_local() {
            return Ok(false);
        }
        let mirror = self.mirror(&place);
        let submodules = mirror.whole(commit).unwrap_or_default();
        let held = mirror.hold(&place.asked, progress)?;
        mirror.forget()?;
        drop(held);
        for one in submodules.iter().filter(|one| may_lead_to(&place, one)) {
            self.forget(&one.url, &one.commit, progress)?;
        }
        Ok(true)
    }

    fn read(
        &self,
        url: &str,
        commit: &Commit,
        prefix: &str,
        store: &Store,
        budget: &mut Budget,
    ) -> Result<Checkout, Error> {
        let place = Place::of(url, &self.mirrors)?;
        let failed = |problem| place.explain(of_problem(problem, &place.asked, commit));
        let reading = |error: ReadError| failed(error.into());
        let objects = self.objects(&place, commit)?;
        let info = objects.commit(commit).map_err(reading)?;
        let leaves = objects.leaves(info.tree).map_err(reading)?;
        let direct = checkout::submodules(&objects, &leaves, &place.named).map_err(reading)?;
        let mut tree = checkout::tree(&objects, &leaves, prefix, store, budget).map_err(failed)?;
        let mut submodules = Vec::new();
        for one in direct {
            if !may_lead_to(&place, &one) {
                return Err(Error::Address { url: one.url, what: LOCAL });
            }
            let below = self.read(&one.url, &one.commit, &format!("{prefix}{}/", one.path), store, budget)?;
            tree.remove(&one.path);
            tree.insert(&one.path, Node::Directory(below.tree)).map_err(crate::store::Error::from)?;
            let path = one.path.clone();
            submodules.push(one);
            submodules.extend(
                below.submodules.into_iter().map(|deep| Submodule { path: format!("{path}/{}", deep.path), ..deep }),
            );
        }
        Ok(Checkout { tree, time: info.time, submodules })
    }
}

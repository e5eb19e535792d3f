//! Making a unit: the compiler in a sandbox of envy's own, which shows what the unit's digest names and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File as OpenFile;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::call::{Call, Understood};
use super::flight::{Event, Flight};
use super::key::{self, Inputs};
use super::{Failure, WRAPPER, depinfo, wrapper};
use crate::build::action;
use crate::build::sandbox::{Entry, Fence, View};
use crate::disk;
use crate::store::{Store, Unit};
use crate::tree::File;

/// What making a unit needs.
pub struct Maker<'a> {
    pub store: &'a Store,
    pub fence: &'a Fence,
    /// What every unit of this build sees: the system, the tools, the toolchain.
    pub fixed: &'a [Entry],
    /// The jobserver's pipe, and where a unit finds it.
    pub jobserver: (&'a Path, &'a str),
}

/// What is to be made.
pub struct Order<'a> {
    pub call: &'a Call,
    pub understood: &'a Understood<'a>,
    pub inputs: Inputs<'a>,
    /// Where the source lies on the host.
    pub source: &'a Path,
}

impl Maker<'_> {
    /// Make a unit, and tell its files and words as they come. `scratch` is a directory of its own, in the store; directories
    /// that build scripts filled are there by their numbers.
    pub fn make(&self, order: &Order<'_>, scratch: &Path, flight: &Flight) -> Result<Unit, Failure> {
        let out = scratch.join("out");
        let view = self.view(order, scratch, &out)?;
        let early = format!("lib{}.rmeta", order.understood.name);
        let (reader, writer) = std::io::pipe().map_err(|_| Failure)?;
        let log = OpenFile::from(OwnedFd::from(writer));
        let mut told = None;
        let (said, status) = std::thread::scope(|scope| {
            let listen = || {
                let mut said = Vec::new();
                for line in BufReader::new(reader).lines().map_while(Result::ok) {
                    if told.is_none() && wrapper::tells_metadata(&line) {
                        told = self.take_early(order, &out, scratch).ok();
                        if let Some(file) = told {
                            flight.tell(Event::File(early.clone(), file));
                            flight.tell(Event::Said(line.clone()));
                        }
                    }
                    said.push(line);
                }
                said
            };
            let listener = scope.spawn(listen);
            let status = self.fence.run(&view, scratch, &log);
            drop(log);
            (listener.join(), status)
        });
        let said = said.map_err(|_| Failure)?;
        if !status.map_err(|_| Failure)?.success() {
            return Err(Failure);
        }
        let files = self.take(order, &out)?;
        if told.is_some_and(|told| files.get(&early) != Some(&told)) {
            return Err(Failure);
        }
        let was_told = |name: &str| told.is_some() && name == early;
        for (name, file) in files.iter().filter(|(name, _)| !was_told(name)) {
            flight.tell(Event::File(name.clone(), *file));
        }
        for line in said.iter().filter(|line| told.is_none() || !wrapper::tells_metadata(line)) {
            flight.tell(Event::Said(line.clone()));
        }
        Ok(Unit { files, said: said.iter().map(|line| format!("{line}\n")).collect() })
    }

    fn view(&self, order: &Order<'_>, scratch: &Path, out: &Path) -> Result<View, Failure> {
        let Order { call, understood, inputs, source } = order;
        let home = scratch.join("home");
        disk::create_directories(out)?;
        disk::create_directories(&home)?;
        let mut entries = self.fixed.to_vec();
        entries.push(Entry::Writable { from: out.to_owned(), to: understood.out.to_owned() });
        entries.push(Entry::Writable { from: home, to: action::HOME.to_owned() });
        entries.push(Entry::Writable { from: self.jobserver.0.to_owned(), to: self.jobserver.1.to_owned() });
        let mut show = |from: PathBuf, to: &str| entries.push(Entry::ReadOnly { from, to: to.to_owned() });
        show(source.to_path_buf(), inputs.source.0);
        for (path, file) in inputs.files {
            show(self.store.file_path(*file), path);
        }
        for (number, path) in inputs.trees.keys().enumerate() {
            show(scratch.join(number.to_string()), path);
        }
        let mut environment = key::environment(call, inputs.tells_time);
        environment.insert("CARGO_MAKEFLAGS".to_owned(), format!("-j --jobserver-auth=fifo:{}", self.jobserver.1));
        // The sandbox says where the unit is; the build may have said otherwise.
        let pwd = environment.get("PWD").map_or("-uPWD".to_owned(), |pwd| format!("PWD={pwd}"));
        let mut command = vec![format!("{}/env", action::TOOLS), pwd, WRAPPER.to_owned()];
        command.extend(call.arguments.iter().cloned());
        Ok(View { entries, environment, directory: call.directory.clone(), command })
    }

    /// Keep the metadata while the compiler, and with it macros of anyone, may still be running. What was read stands in
    /// its dep-info by then.
    fn take_early(&self, order: &Order<'_>, out: &Path, scratch: &Path) -> Result<File, Failure> {
        let name = &order.understood.name;
        let copies =
            [(format!("{name}.d"), scratch.join("early.d")), (format!("lib{name}.rmeta"), scratch.join("early"))];
        for (name, copy) in &copies {
            disk::clone_or_copy_itself(&out.join(name), copy, 0o600)?;
        }
        let [(_, read), (_, metadata)] = copies;
        order.check(&read)?;
        Ok(self.store.keep(&metadata, false)?)
    }

    /// Keep everything that was written, if it is what a compiler writes and came from what is known.
    fn take(&self, order: &Order<'_>, out: &Path) -> Result<BTreeMap<String, File>, Failure> {
        let Order { understood, inputs, .. } = order;
        let shown: BTreeSet<&str> = inputs.files.keys().filter_map(|path| path.rsplit('/').next()).collect();
        let mut files = BTreeMap::new();
        for (name, kind) in disk::list(out)? {
            let name = name.to_str().ok_or(Failure)?;
            // Where a file is shown, the sandbox makes a place for it.
            if shown.contains(name) {
                continue;
            }
            let (disk::Kind::File { executable }, true) = (kind, is_of(name, &understood.name)) else {
                return Err(Failure);
            };
            if name.ends_with(".d") {
                order.check(&out.join(name))?;
            }
            files.insert(name.to_owned(), self.store.keep(&out.join(name), executable)?);
        }
        if files.is_empty() { Err(Failure) } else { Ok(files) }
    }
}

impl Order<'_> {
    /// Refuse it if the compiler says that it read something else than it was to read.
    fn check(&self, dep_info: &Path) -> Result<(), Failure> {
        let text = disk::read_text_if_exists(dep_info)?.ok_or(Failure)?;
        let mut known = vec![self.inputs.source.0];
        known.extend(self.inputs.trees.keys().map(String::as_str));
        depinfo::all_known(&text, &self.call.directory, &known).then_some(()).ok_or(Failure)
    }
}

/// Whether the compiler gives a file of this name to this crate.
fn is_of(name: &str, unit: &str) -> bool {
    let rest = name.strip_prefix(unit).or_else(|| name.strip_prefix("lib")?.strip_prefix(unit));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_has_files_of_its_own_name() {
        for name in ["liba-2e.rlib", "liba-2e.rmeta", "a-2e.d", "a-2e", "liba-2e.so"] {
            assert!(is_of(name, "a-2e"), "{name}");
        }
        for name in ["libb-2e.rlib", "a-2ef", "liba-2", "a.so"] {
            assert!(!is_of(name, "a-2e"), "{name}");
        }
    }
}

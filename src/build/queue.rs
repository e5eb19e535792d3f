//! The order of builds: each begins as soon as all that it needs is there, several at a time.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::inputs::Inputs;
use super::{Built, Error, prefix};
use crate::lock::Lockfile;
use crate::package::PackageName;

/// What the workers share.
struct State<'a> {
    waiting: Vec<Inputs<'a>>,
    done: BTreeMap<PackageName, Built>,
    failed: Option<Error>,
}

/// Make all of these with so many workers. Gives what was there with what was made. After a failure no further build begins.
pub fn run<'a>(
    waiting: Vec<Inputs<'a>>,
    done: BTreeMap<PackageName, Built>,
    workers: usize,
    lockfile: &Lockfile,
    make: &(dyn Fn(&Inputs<'a>) -> Result<Built, Error> + Sync),
) -> Result<BTreeMap<PackageName, Built>, Error> {
    let workers = workers.min(waiting.len());
    let (state, changed) = (Mutex::new(State { waiting, done, failed: None }), Condvar::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(next) = next(&state, &changed, lockfile) {
                    let made = next.and_then(|inputs| make(&inputs));
                    finish(made, &mut held(&state));
                    changed.notify_all();
                }
            });
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.failed.map_or(Ok(state.done), Err)
}

fn held<'s, 'a>(state: &'s Mutex<State<'a>>) -> MutexGuard<'s, State<'a>> {
    state.lock().expect("no worker panics while it holds this")
}

fn finish(made: Result<Built, Error>, state: &mut State<'_>) {
    match made {
        Ok(built) => drop(state.done.insert(built.id.name.clone(), built)),
        // The first failure is the one to tell.
        Err(error) => drop(state.failed.get_or_insert(error)),
    }
}

/// Wait for something that can be built, with all that it needs in its place; nothing when no more will come.
fn next<'a>(state: &Mutex<State<'a>>, changed: &Condvar, lockfile: &Lockfile) -> Option<Result<Inputs<'a>, Error>> {
    let mut state = held(state);
    loop {
        if state.failed.is_some() || state.waiting.is_empty() {
            return None;
        }
        let is_ready = |one: &Inputs<'_>| {
            lockfile.inputs(&one.id.name, one.platform).iter().all(|name| state.done.contains_key(*name))
        };
        if let Some(at) = state.waiting.iter().position(is_ready) {
            let inputs = state.waiting.remove(at);
            return Some(surrounded(inputs, &state.done, lockfile));
        }
        state = changed.wait(state).expect("no worker panics while it holds this");
    }
}

/// With the outputs of what it needs.
pub fn surrounded<'a>(
    mut inputs: Inputs<'a>,
    done: &BTreeMap<PackageName, Built>,
    lockfile: &Lockfile,
) -> Result<Inputs<'a>, Error> {
    let (name, platform) = (&inputs.id.name, inputs.platform);
    inputs.prefix = prefix::merged(&inputs.id, lockfile.inputs(name, platform), done)?;
    inputs.beside = prefix::merged(&inputs.id, lockfile.beside(name, platform), done)?;
    Ok(inputs)
}

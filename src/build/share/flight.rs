//! A unit while it is made: one build makes it, others may wait for it.

use std::sync::{Condvar, Mutex};

use super::locked;
use crate::tree::File;

/// What happened to a unit so far.
#[derive(Debug, Default)]
pub struct Flight {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    ended: Option<End>,
}

/// Something that whoever wants the unit has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A file is there.
    File(String, File),
    /// The compiler said something, a line.
    Said(String),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything is there.
    Made,
    /// It cannot be shared.
    Failed,
}

impl Flight {
    /// Tell all who wait.
    pub fn tell(&self, event: Event) {
        locked(&self.state).events.push(event);
        self.changed.notify_all();
    }

    /// End it, unless it has ended.
    pub fn end(&self, end: End) {
        locked(&self.state).ended.get_or_insert(end);
        self.changed.notify_all();
    }

    /// Hear every event, as it comes or came, until the end.
    pub fn follow(&self, mut hear: impl FnMut(Event)) -> End {
        let mut heard = 0;
        loop {
            let mut state = locked(&self.state);
            while state.events.len() == heard && state.ended.is_none() {
                state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            let new = state.events[heard..].to_vec();
            let ended = state.ended;
            drop(state);
            heard += new.len();
            new.into_iter().for_each(&mut hear);
            if let Some(end) = ended {
                return end;
            }
        }
    }
}

/// Ends a flight as failed when the value goes, whatever happened to whoever made it.
pub struct Pilot<'a>(pub &'a Flight);

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        self.0.end(End::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_hears_everything_in_order_whenever_they_come() {
        let flight = Flight::default();
        let said = |text: &str| Event::Said(text.to_owned());
        let hear = || {
            let mut heard = Vec::new();
            let end = flight.follow(|event| heard.push(event));
            (heard, end)
        };
        let early = std::thread::scope(|scope| {
            let early = scope.spawn(hear);
            flight.tell(said("one"));
            flight.tell(said("two"));
            flight.end(End::Made);
            early.join().unwrap()
        });
        drop(Pilot(&flight));
        let all = (vec![said("one"), said("two")], End::Made);
        assert_eq!(early, all);
        assert_eq!(hear(), all);
    }

    #[test]
    fn a_flight_whose_maker_is_gone_has_failed() {
        let flight = Flight::default();
        drop(Pilot(&flight));
        assert_eq!(flight.follow(|_| {}), End::Failed);
    }
}

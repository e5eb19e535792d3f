//! The only printer. Results go to stdout, everything else to stderr.
//!
//! On a terminal long work shows itself while it goes on; elsewhere each finished step is one plain line. Colour
//! never carries meaning of its own.

mod downloads;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::downloads::Downloads;
use crate::failure::Failure;
use crate::process;
use crate::progress::{Event, Progress};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Errors alone.
    Quiet,
    /// What was done.
    Normal,
    /// Details too.
    Verbose,
}

/// Who prints. Copies of one print in the same place.
#[derive(Clone)]
pub struct Ui {
    volume: Volume,
    bars: MultiProgress,
    live: bool,
    running: Arc<Mutex<BTreeMap<String, ProgressBar>>>,
    downloads: Arc<Mutex<Option<Downloads>>>,
    /// Why a result was not written, if one was not.
    unwritten: Arc<Mutex<Option<std::io::Error>>>,
}

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

impl Ui {
    /// A printer. Progress is live only on a terminal that can move its cursor, and outside CI.
    pub fn new(volume: Volume) -> Self {
        let dumb = process::variable("TERM").is_some_and(|term| term == "dumb");
        let live =
            volume >= Volume::Normal && std::io::stderr().is_terminal() && !dumb && process::variable("CI").is_none();
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            volume,
            bars: MultiProgress::with_draw_target(target),
            live,
            running: Arc::default(),
            downloads: Arc::default(),
            unwritten: Arc::default(),
        }
    }

    /// Print a result to stdout. Where that fails, [`Ui::require_written`] says so in the end.
    pub fn result(&self, text: &str) {
        let mut stdout = anstream::stdout();
        let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
        // Whoever closed the pipe has read enough.
        if let Err(error) = written.or_else(|error| if is_closed(&error) { Ok(()) } else { Err(error) }) {
            self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Whether every result was written that somebody wants to read.
    pub fn require_written(&self) -> Result<(), Failure> {
        let first = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or(Ok(()), |error| Err(Failure::unread(&error)))
    }

    /// Where a result goes that is no text; a terminal is no place for one.
    pub fn raw(&self) -> Option<impl std::io::Write + use<>> {
        let stdout = std::io::stdout();
        if stdout.is_terminal() { None } else { Some(stdout.lock()) }
    }

    /// Print a result to stdout as one JSON document.
    pub fn json(&self, document: &serde_json::Value) {
        self.result(&format!("{document:#}\n"));
    }

    /// Say what was done: a verb, and the rest.
    pub fn done(&self, verb: &str, rest: impl std::fmt::Display) {
        if self.volume >= Volume::Normal {
            self.line(&format!("{GREEN}{verb}{GREEN:#} {rest}"));
        }
    }

    /// Say something more about what was done.
    pub fn detail(&self, text: impl std::fmt::Display) {
        if self.volume >= Volume::Normal {
            self.line(&format!("  {text}"));
        }
    }

    /// Say something that stops nothing.
    pub fn note(&self, text: impl std::fmt::Display) {
        if self.volume >= Volume::Normal {
            self.line(&format!("{CYAN}note:{CYAN:#} {text}"));
        }
    }

    /// Show on a terminal that something goes on, until the value goes.
    pub fn busy(&self, text: impl Into<String>) -> Busy {
        let bar = self.spinner(text.into());
        Busy(bar)
    }

    /// Tell a failure.
    pub fn failure(&self, failure: &Failure) {
        self.bars.clear().ok();
        let mut text = format!("{RED}error:{RED:#} {}\n", failure.outcome);
        for fact in failure.facts.iter().flat_map(|fact| fact.lines()) {
            text.push_str(&format!("  {fact}\n"));
        }
        for cause in &failure.causes {
            text.push_str(&format!("  caused by: {}\n", cause.trim_end().replace('\n', "\n    ")));
        }
        for hint in &failure.hints {
            text.push_str(&format!("{CYAN}hint:{CYAN:#} {hint}\n"));
        }
        let _ = write!(anstream::stderr(), "{text}");
    }

    fn line(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(anstream::stderr(), "{text}");
        });
    }

    fn spinner(&self, text: String) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {msg} {elapsed}"));
        bar.set_message(text);
        if self.live {
            bar.enable_steady_tick(Duration::from_millis(80));
        }
        bar
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, key: &str) {
        if let Some(bar) = self.running().remove(key) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn downloads(&self) -> MutexGuard<'_, Option<Downloads>> {
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_downloads(&self, files: usize) {
        let new = || {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_style(style("fetching {bar:30} {pos}/{len} {wide_msg}"));
            Downloads::new(bar)
        };
        self.downloads().get_or_insert_with(new).begin(files);
    }

    fn end_downloads(&self) {
        let over = self.downloads().take_if(Downloads::end);
        if let Some(over) = over {
            over.bar().finish_and_clear();
            self.bars.remove(over.bar());
        }
    }
}

/// Something that goes on.
pub struct Busy(ProgressBar);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn is_closed(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a test uses every template")
}

/// Say that envy itself is at fault.
pub fn bug(what: &str) {
    let text = format!(
        "{RED}error:{RED:#} this is a bug in envy, and nothing that you did\n  {what}\n{CYAN}hint:{CYAN:#} report it with the command that you typed\n"
    );
    let _ = write!(anstream::stderr(), "{text}");
}

/// A number of bytes, for people.
pub fn bytes(count: u64) -> String {
    let (count, units) = (count as f64, ["B", "kB", "MB", "GB", "TB"]);
    let power = units
        .iter()
        .enumerate()
        .rev()
        .find(|(power, _)| count >= 1000_f64.powi(*power as i32))
        .map_or(0, |(power, _)| power);
    let value = count / 1000_f64.powi(power as i32);
    if power == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", units[power]) }
}

/// A count with its noun.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Progress for Ui {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Fetching { files, .. } => self.begin_downloads(files),
            Event::Receiving { name, bytes, of } if self.live => {
                if let Some(downloads) = &mut *self.downloads() {
                    downloads.received(name, bytes, of);
                }
            }
            Event::Receiving { .. } => {}
            Event::Fetched { name, bytes } => {
                if let Some(downloads) = &mut *self.downloads() {
                    downloads.complete(name, bytes);
                }
            }
            Event::NotFetched { name } => {
                if let Some(downloads) = &mut *self.downloads() {
                    downloads.complete(name, 0);
                }
            }
            Event::FetchedAll { files, bytes: size } => {
                self.end_downloads();
                if files > 0 {
                    self.done("fetched", format!("{} ({})", count(files, "file"), bytes(size)));
                }
            }
            Event::Building { package } if self.live => {
                let bar = self.spinner(format!("building {package}"));
                self.running().insert(package.to_owned(), bar);
            }
            Event::Building { package } => self.done("building", package),
            Event::Built { package, seconds } => {
                self.finish(package);
                self.done("built", format!("{package} in {seconds:.1}s"));
            }
            Event::Waiting { what, pid } => {
                let whom = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                self.note(format!("waiting for {whom}, which holds {what}"));
            }
            Event::Note(text) => self.note(text),
            Event::Warning(text) => self.line(&format!("{YELLOW}warning:{YELLOW:#} {text}")),
            Event::Detail(text) if self.volume >= Volume::Verbose => self.detail(text),
            Event::Detail(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([0, 999, 1000, 3_240_000].map(bytes), ["0 B", "999 B", "1.0 kB", "3.2 MB"]);
    }

    #[test]
    fn every_template_of_a_bar_is_good() {
        let ui = Ui::new(Volume::Normal);
        ui.begin_downloads(3);
        drop(ui.busy("locking"));
    }
}

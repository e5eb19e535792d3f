//! Sides that are timed in turns, and what is told of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Something that is timed beside others.
pub struct Side<'a> {
    name: String,
    /// Made ready before each time, which does not count.
    before: Box<dyn FnMut() + 'a>,
    run: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Side<'a> {
    /// A process, from before it starts to after it ended.
    pub fn process(name: impl Into<String>, command: impl Fn() -> Command + 'a) -> Self {
        let name = name.into();
        let what = name.clone();
        let run = move || {
            let mut command = command();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let begun = Instant::now();
            let status = command.status();
            let time = begun.elapsed();
            let status = status.unwrap_or_else(|error| panic!("`{what}` cannot be started: {error}"));
            assert!(status.success(), "`{what}` failed ({status})");
            time
        };
        Self { name, before: Box::new(|| ()), run: Box::new(run) }
    }

    /// A process, by what it and its children take of all processors.
    pub fn cpu_of_process(name: impl Into<String>, command: impl Fn() -> Command + 'a) -> Self {
        let Self { name, before, run: mut process } = Self::process(name, command);
        let run = move || {
            let before = cpu_of_children();
            process();
            cpu_of_children() - before
        };
        Self { name, before, run: Box::new(run) }
    }

    /// A call within this process.
    pub fn call(name: impl Into<String>, mut work: impl FnMut() + 'a) -> Self {
        let run = move || {
            let begun = Instant::now();
            work();
            begun.elapsed()
        };
        Self { name: name.into(), before: Box::new(|| ()), run: Box::new(run) }
    }

    /// With something that is done before each time.
    pub fn after(mut self, before: impl FnMut() + 'a) -> Self {
        self.before = Box::new(before);
        self
    }
}

/// What all children of this process that ended took of the processors. A tick is the hundredth part of a second.
pub fn cpu_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("there is /proc");
    // What comes before may have blanks in it.
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * (ticks(13) + ticks(14)))
}

/// The most that the first side of a group may take.
pub enum Limit {
    /// This time.
    Time(Duration),
    /// This part of the time of another side.
    Part { of: &'static str, at_most: f64 },
}

/// Shortest, middle and longest time.
struct Summary {
    times: Vec<Duration>,
}

impl Summary {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { times }
    }

    fn shortest(&self) -> f64 {
        self.times[0].as_secs_f64()
    }

    fn middle(&self) -> f64 {
        self.times[self.times.len() / 2].as_secs_f64()
    }

    fn longest(&self) -> f64 {
        self.times[self.times.len() - 1].as_secs_f64()
    }
}

/// Everything that is measured in one run of this program.
pub struct Report {
    rounds: usize,
    passed: bool,
}

impl Report {
    pub fn new(rounds: usize) -> Self {
        Self { rounds: rounds.max(1), passed: false }
    }

    /// Whether anything took longer than it may.
    pub fn passed_a_limit(&self) -> bool {
        self.passed
    }

    /// Say something beside the figures.
    pub fn note(&self, text: &str) {
        println!("  ({text})");
    }

    /// Begin a table of amounts.
    pub fn table(&self, title: &str, columns: &[&str]) {
        println!("\n{title}");
        let columns: String = columns.iter().map(|column| format!(" {column:>12}")).collect();
        println!("  {:<28}{columns}", "");
    }

    /// A row of such a table: how many, and amounts.
    pub fn row(&self, name: &str, count: usize, amounts: &[f64]) {
        let amounts: String = amounts.iter().map(|amount| format!(" {amount:>12.2}")).collect();
        println!("  {name:<28} {count:>12}{amounts}");
    }

    /// Compare an amount with the most that it may be.
    pub fn bound(&mut self, what: &str, amount: f64, most: f64) {
        let verdict = if amount <= most { "" } else { "  TOO MUCH" };
        println!("  {:<46} {:>9.2}{verdict}", format!("ratio to the limit, {most} {what}"), amount / most);
        self.passed |= amount > most;
    }

    /// Time the sides of a group in turns, and tell the times, the ratio of the first side to each other, and limits.
    pub fn group(&mut self, title: &str, sides: Vec<Side<'_>>, limits: &[Limit]) {
        self.group_of(self.rounds, title, sides, limits);
    }

    /// The same, with another number of rounds.
    pub fn group_of(&mut self, rounds: usize, title: &str, mut sides: Vec<Side<'_>>, limits: &[Limit]) {
        println!("\n{title}");
        println!("  {:<36} {:>9} {:>9} {:>9}", format!("ms, of {rounds} times"), "shortest", "middle", "longest");
        let summaries = in_turns(rounds, &mut sides);
        let named: Vec<_> = sides.iter().map(|side| side.name.as_str()).zip(&summaries).collect();
        let [(_, first), others @ ..] = named.as_slice() else { return };
        for (name, summary) in &named {
            let [shortest, middle, longest] =
                [summary.shortest(), summary.middle(), summary.longest()].map(|time| time * 1e3);
            println!("  {name:<36} {shortest:>9.2} {middle:>9.2} {longest:>9.2}");
        }
        for (name, other) in others {
            let [shortest, middle] = [first.shortest() / other.shortest(), first.middle() / other.middle()];
            println!("  ratio to {name:<27} {shortest:>9.2} {middle:>9.2}");
        }
        for limit in limits {
            self.limit(limit, first, others);
        }
    }

    fn limit(&mut self, limit: &Limit, first: &Summary, others: &[(&str, &Summary)]) {
        let (what, most) = match limit {
            Limit::Time(time) => (format!("{} ms", time.as_millis()), time.as_secs_f64()),
            Limit::Part { of, at_most } => {
                let Some((_, other)) = others.iter().find(|(name, _)| name == of) else { return };
                (format!("{at_most:.2} of {of}"), at_most * other.middle())
            }
        };
        let ratio = first.middle() / most;
        let verdict = if ratio <= 1.0 { "" } else { "  TOO SLOW" };
        println!("  ratio to the limit, {what:<26} {ratio:>9.2}{verdict}");
        self.passed |= ratio > 1.0;
    }
}

/// One time each that does not count, then in turns, every other round backwards.
fn in_turns(rounds: usize, sides: &mut [Side<'_>]) -> Vec<Summary> {
    let mut times = vec![Vec::with_capacity(rounds); sides.len()];
    for round in 0..=rounds {
        let mut order: Vec<_> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for number in order {
            (sides[number].before)();
            let time = (sides[number].run)();
            if round > 0 {
                times[number].push(time);
            }
        }
    }
    times.into_iter().map(Summary::new).collect()
}

//! The bar of downloads on a terminal: how many files and bytes have arrived, and which take longest.

use std::collections::BTreeMap;

use indicatif::ProgressBar;

use super::bytes;

/// How many files are named that have been under way longest.
const NAMED: usize = 3;

/// What is being fetched, in all batches that are under way.
#[derive(Debug)]
pub(super) struct Downloads {
    bar: ProgressBar,
    batches: usize,
    files: usize,
    /// Bytes of files that are complete.
    complete: u64,
    /// Files of which something has arrived, by name.
    running: BTreeMap<String, Running>,
    /// How many there were of them so far.
    begun: usize,
}

#[derive(Debug)]
struct Running {
    /// Its place in the order in which files began to arrive.
    number: usize,
    bytes: u64,
    of: Option<u64>,
}

impl Downloads {
    pub(super) fn new(bar: ProgressBar) -> Self {
        Self { bar, batches: 0, files: 0, complete: 0, running: BTreeMap::new(), begun: 0 }
    }

    /// A batch of so many files begins.
    pub(super) fn begin(&mut self, files: usize) {
        self.batches += 1;
        self.files += files;
        self.bar.set_length(self.files as u64);
        self.show();
    }

    /// So much of a file has arrived.
    pub(super) fn received(&mut self, name: &str, bytes: u64, of: Option<u64>) {
        let number = self.running.get(name).map_or(self.begun, |running| running.number);
        self.begun = self.begun.max(number + 1);
        self.running.insert(name.to_owned(), Running { number, bytes, of });
        self.show();
    }

    /// A file has arrived, with so many bytes, or with none if it never will.
    pub(super) fn complete(&mut self, name: &str, bytes: u64) {
        self.running.remove(name);
        self.complete += bytes;
        self.bar.inc(1);
        self.show();
    }

    /// A batch is over. Whether it was the last, and the bar may go.
    pub(super) fn end(&mut self) -> bool {
        self.batches = self.batches.saturating_sub(1);
        self.batches == 0
    }

    /// The bar itself.
    pub(super) fn bar(&self) -> &ProgressBar {
        &self.bar
    }

    fn show(&self) {
        self.bar.set_message(self.message());
    }

    /// How much has arrived in all, and the names of those that have been under way longest.
    fn message(&self) -> String {
        let all = self.complete + self.running.values().map(|running| running.bytes).sum::<u64>();
        let mut running: Vec<_> = self.running.iter().collect();
        running.sort_by_key(|(_, running)| running.number);
        let one = |(name, running): &(&String, &Running)| match running.of {
            Some(of) => format!("{name} ({} of {})", bytes(running.bytes), bytes(of)),
            None => format!("{name} ({})", bytes(running.bytes)),
        };
        let more = running.len().saturating_sub(NAMED);
        let more = (more > 0).then(|| format!("{more} more"));
        let names: Vec<_> = running.iter().take(NAMED).map(one).chain(more).collect();
        if names.is_empty() { bytes(all) } else { format!("{}: {}", bytes(all), names.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longest_is_named() {
        let mut downloads = Downloads::new(ProgressBar::hidden());
        downloads.begin(6);
        assert_eq!(downloads.message(), "0 B");
        for (name, bytes) in [("e", 1000), ("d", 2000), ("c", 3000), ("b", 4000), ("a", 5000), ("e", 1500)] {
            downloads.received(name, bytes, (name == "d").then_some(8000));
        }
        assert_eq!(downloads.message(), "15.5 kB: e (1.5 kB), d (2.0 kB of 8.0 kB), c (3.0 kB), 2 more");
        downloads.complete("d", 8000);
        downloads.complete("f", 500);
        assert_eq!(downloads.message(), "22.0 kB: e (1.5 kB), c (3.0 kB), b (4.0 kB), 1 more");
        assert_eq!(downloads.bar().position(), 2);
    }

    #[test]
    fn the_bar_stays_until_the_last_batch_is_over() {
        let mut downloads = Downloads::new(ProgressBar::hidden());
        downloads.begin(1);
        downloads.begin(2);
        assert_eq!(downloads.bar().length(), Some(3));
        assert!(!downloads.end());
        assert!(downloads.end());
    }
}

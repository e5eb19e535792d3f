//! Progress: what long work tells while it goes on. Who listens decides how it looks, or whether.

/// Something that happened, worth a line or a moved bar.
#[derive(Debug)]
pub enum Event<'a> {
    /// Downloads begin: this many, of this many bytes in all where that is known.
    Fetching { files: usize, bytes: Option<u64> },
    /// So many bytes of a download have arrived, of so many where that is known. Told a few times a second.
    Receiving { name: &'a str, bytes: u64, of: Option<u64> },
    /// One download is complete.
    Fetched { name: &'a str, bytes: u64 },
    /// One download has come to nothing.
    NotFetched { name: &'a str },
    /// All downloads of a batch are complete.
    FetchedAll { files: usize, bytes: u64 },
    /// A build begins.
    Building { package: &'a str },
    /// A build is complete, after so many seconds.
    Built { package: &'a str, seconds: f64 },
    /// Another envy process holds what is needed.
    Waiting { what: &'a str, pid: Option<u32> },
    /// Something a person should know, but that stops nothing.
    Note(&'a str),
    /// Something a person should look at, but that stops nothing.
    Warning(&'a str),
    /// Something only those who asked for more (`-v`) want to know.
    Detail(&'a str),
}

/// Someone who listens.
pub trait Progress: Send + Sync {
    /// Hear an event. Called from any thread.
    fn tell(&self, event: Event<'_>);
}

/// Listens to nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _event: Event<'_>) {}
}

//! The messages of the Remote Execution API that trees are written as.

/// `Digest`: names some bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Digest {
    /// Hexadecimal sha256.
    #[prost(string, tag = "1")]
    pub hash: String,
    /// How many bytes.
    #[prost(int64, tag = "2")]
    pub size_bytes: i64,
}

impl Digest {
    /// The message for a digest's hexadecimal form and the number of bytes that it names.
    pub fn new(hex: &str, size: u64) -> Self {
        Self { hash: hex.to_owned(), size_bytes: i64::try_from(size).expect("no file has 2^63 bytes") }
    }
}

/// `Directory`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Directory {
    /// Files, sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub files: Vec<FileNode>,
    /// Directories, sorted by name.
    #[prost(message, repeated, tag = "2")]
    pub directories: Vec<DirectoryNode>,
    /// Symlinks, sorted by name.
    #[prost(message, repeated, tag = "3")]
    pub symlinks: Vec<SymlinkNode>,
}

/// `Tree`: a directory with all that are below it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Tree {
    /// The root.
    #[prost(message, optional, tag = "1")]
    pub root: Option<Directory>,
    /// All others.
    #[prost(message, repeated, tag = "2")]
    pub children: Vec<Directory>,
}

/// `FileNode`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct FileNode {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its content.
    #[prost(message, optional, tag = "2")]
    pub digest: Option<Digest>,
    /// Whether it may be executed.
    #[prost(bool, tag = "4")]
    pub is_executable: bool,
}

/// `DirectoryNode`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DirectoryNode {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its `Directory` message.
    #[prost(message, optional, tag = "2")]
    pub digest: Option<Digest>,
}

/// `SymlinkNode`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SymlinkNode {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Where it points.
    #[prost(string, tag = "2")]
    pub target: String,
}

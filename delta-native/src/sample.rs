//! Small real update streams that travel inside this crate.
//!
//! `sample/README.md` says where they come from, under which licences, and how they were cut.

use crate::stream::{Stream, StreamError};

/// Names of the streams, in the order of [`streams`].
pub const NAMES: [&str; 2] = ["book_docs", "feat_tokens_log1p"];

/// The files of the streams: name and content.
pub const FILES: [(&str, &[u8]); 4] = [
    (
        "book_docs.jsonl",
        include_bytes!("../sample/book_docs.jsonl"),
    ),
    ("book_docs.npy", include_bytes!("../sample/book_docs.npy")),
    (
        "feat_tokens_log1p.jsonl",
        include_bytes!("../sample/feat_tokens_log1p.jsonl"),
    ),
    (
        "feat_tokens_log1p.npy",
        include_bytes!("../sample/feat_tokens_log1p.npy"),
    ),
];

/// Loads the streams.
///
/// # Errors
/// [`StreamError`] if a build replaced the files by others; those of this crate load.
pub fn streams() -> Result<Vec<Stream>, StreamError> {
    NAMES
        .iter()
        .map(|name| Stream::load_embedded(name, &FILES))
        .collect()
}

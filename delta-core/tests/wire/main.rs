//! The golden vectors of WIRE.md, read from that file: parsed, applied, and written again by the
//! pipeline to the same bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod blocks;
mod memory;
mod streams;
mod values;
mod written;

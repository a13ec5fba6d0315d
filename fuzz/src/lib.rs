//! What the fuzz targets share: slow oracles written from `delta-core/WIRE.md` alone, the
//! properties, and their seeds.
//!
//! | module | what it holds |
//! |---|---|
//! | [`oracle`] | WIRE.md word for word, without an eye on speed or on the implementation |
//! | [`targets`] | one property a file, as a function of the fuzzer's bytes that panics if it
//! fails |
//! | [`shape`] | turns bytes into frames that pass the first checks, so that the later ones are
//! met |
//! | [`wire`] | the golden vectors of WIRE.md |
//! | [`memory`] | regions that a ring shares with something hostile |
//! | [`handle`] | the ring's handles, in place and copying, behind one face |
//! | [`units`] | the vector units of this processor |
//! | [`seeds`] | the first inputs of every target, made of the golden vectors |
//!
//! The properties are functions of a library so that `cargo test` replays every seed, and mutated
//! ones, with any compiler; libFuzzer needs nightly.

pub mod handle;
pub mod memory;
pub mod oracle;
pub mod seeds;
pub mod shape;
pub mod targets;
pub mod units;
pub mod wire;

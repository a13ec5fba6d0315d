//! Capture -> ring -> process -> apply, as state machines without I/O.
//!
//! [`sequencer`] turns changes into records and [`capture`] puts them into a ring; [`process`]
//! passes records on; [`apply`] checks them and changes a replica.

pub mod apply;
pub mod batch;
pub mod capture;
mod graph;
pub mod process;
pub mod sequencer;
pub mod tensor;

pub use graph::GraphRowsError;

#[cfg(test)]
mod tests;

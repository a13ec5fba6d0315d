//! Capture -> ring -> process -> apply, as state machines without I/O.
//!
//! [`sequencer`] turns changes into records and [`capture`] puts them into a ring; [`process`]
//! passes records on; [`apply`] checks them and changes a replica, behind a [`gate`] if it is to
//! change only so fast.

pub mod apply;
pub mod batch;
pub mod capture;
pub mod counters;
pub mod derive;
pub mod gate;
mod graph;
pub mod merge;
pub mod process;
pub mod sequencer;
pub mod session;
pub mod shadow;
pub mod tensor;

pub use graph::GraphRowsError;

#[cfg(test)]
mod tests;

//! The three stages of the pipeline over memory of the host's. Each module exports one of them.

#[cfg(feature = "apply")]
pub(crate) mod apply;
#[cfg(feature = "capture")]
pub(crate) mod capture;
#[cfg(feature = "capture")]
pub(crate) mod many;
#[cfg(feature = "process")]
pub(crate) mod process;
mod rings;

//! The verbs of a stream's two ends, each under its own name, over the caller's memory.
//!
//! - [`CaptureSession`]: `init_capture`, `start_capture`, `poll_deltas`, `get_payload`,
//!   `checkpoint`
//! - [`ApplySession`]: `init_apply`, `apply_delta`, `apply_batch`, `current_position`, `seek`
//!
//! They are for ends that have no ring between them: a component host, a network, a test. Each
//! keeps its last records, so that a reader can fetch one again and a replica go back and forth.

mod apply;
mod capture;

pub use apply::{ApplyMemory, ApplySession, SessionApplyError};
pub use capture::{CaptureConfig, CaptureMemory, CaptureSession, SessionError};

//! The ring: records from one producer to one consumer through plain or shared memory.
mod consumer;
mod cursor;
mod error;
mod layout;
mod mem;
mod notify;
mod producer;
#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;

pub use consumer::{Consumer, Received};
pub use error::{CommitError, Corrupt, RegionError, ReserveError};
pub use layout::{CONTROL_SIZE, Geometry, GeometryError, HEADER_SIZE, REGION_ALIGN};
pub use mem::Mem;
#[cfg(loom)]
pub use mem::loom::{Fault, LoomMem};
pub use mem::raw::RawMem;
pub use mem::region::Region;
pub use mem::static_ring::StaticRing;
pub use notify::{Notify, Polling};
pub use producer::{Batch, Grant, Producer};

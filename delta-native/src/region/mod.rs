//! Memory for a ring: of one process ([`HeapRegion`]), or shared by two (`SharedRegion`, on Linux).

mod heap;
#[cfg(target_os = "linux")]
mod role;
#[cfg(target_os = "linux")]
mod shared;

pub use heap::{HeapRegion, RegionError};
#[cfg(target_os = "linux")]
pub use role::{Held, Role};
#[cfg(target_os = "linux")]
pub use shared::{SharedError, SharedRegion};

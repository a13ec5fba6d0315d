//! The ends of the rings that the host has laid out.
#![expect(unsafe_code, reason = "attaching to a ring that other stages use")]

use core::ptr;

use delta_core::ring::{Consumer, Producer, RawMem, Region};

use crate::error::CallError;
use crate::layout::RingPlace;
use crate::notify::HostWait;

/// The reading end of a ring.
pub(super) type Source = Consumer<RawMem<'static>, HostWait>;
/// The writing end of a ring.
pub(super) type Target = Producer<RawMem<'static>, HostWait>;

/// Takes the reading end of the ring at `place`. O(slots).
#[cfg(any(feature = "process", feature = "apply"))]
pub(super) fn source(place: RingPlace) -> Result<Source, CallError> {
    Ok(attach(place)?.into_consumer(HostWait))
}

/// Takes the writing end of the ring at `place`. O(slots).
#[cfg(any(feature = "process", feature = "capture"))]
pub(super) fn target(place: RingPlace) -> Result<Target, CallError> {
    Ok(attach(place)?.into_producer(HostWait))
}

fn attach(place: RingPlace) -> Result<Region<'static>, CallError> {
    let base = ptr::with_exposed_provenance_mut::<u8>(place.extent.address());
    let base = ptr::NonNull::new(base).ok_or(CallError::NoRing)?;
    let size = place.geometry.region_size();
    // SAFETY: the region lies in the memory, which is initialised and never shrinks
    // (`Extent::new`). The host gives it to stages alone, of which at most one has each end, and
    // the stages keep the ring's rules.
    let region = unsafe { Region::attach(base, size, place.geometry) };
    region.map_err(CallError::Region)
}

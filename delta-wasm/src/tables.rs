//! The pieces of a layout, claimed and typed: each once, when a stage is opened.
#![expect(
    unsafe_code,
    reason = "claiming the pieces that the host gives a stage"
)]

#[cfg(feature = "capture")]
use delta_core::pipeline::sequencer::SlotState;
#[cfg(any(feature = "capture", feature = "apply"))]
use delta_core::store::{SliceMemory, SliceStore};

#[cfg(any(feature = "capture", feature = "apply"))]
use crate::error::CallError;
use crate::layout::Layout;
use crate::memory::{Staging, claim};

/// The staging area.
pub(crate) fn staging(layout: &Layout) -> Staging {
    // SAFETY: the host leaves the pieces of a layout to the stage that it is opened for (the
    // contract of `exports`), and they are disjoint (`Layout::parse`).
    Staging::new(unsafe { claim(layout.staging) })
}

/// The scratch for decompressed metadata.
#[cfg(feature = "apply")]
pub(crate) fn scratch(layout: &Layout) -> &'static mut [u8] {
    // SAFETY: as in `staging`.
    unsafe { claim(layout.scratch) }
}

/// The sequencer's slots.
#[cfg(feature = "capture")]
pub(crate) fn states(layout: &Layout) -> &'static mut [SlotState] {
    // SAFETY: as in `staging`.
    unsafe { claim(layout.states) }
}

/// An empty row store.
#[cfg(any(feature = "capture", feature = "apply"))]
pub(crate) fn store(layout: &Layout) -> Result<SliceStore<'static>, CallError> {
    if layout.dim == 0 {
        return Err(CallError::Layout { word: 1 });
    }
    // SAFETY: as in `staging`.
    let rows = unsafe { claim(layout.rows) };
    // SAFETY: as in `staging`.
    let slots = unsafe { claim(layout.slots) };
    // SAFETY: as in `staging`.
    let attributes = unsafe { claim(layout.attributes) };
    let memory = SliceMemory {
        rows,
        slots,
        attributes,
    };
    Ok(SliceStore::new(layout.dim, memory))
}

//! The pieces of a layout, claimed and typed: each once, when a stage is opened.
#![expect(
    unsafe_code,
    reason = "claiming the pieces that the host gives a stage"
)]

#[cfg(feature = "apply")]
use delta_core::graph::{
    Adjacency, GraphBuffers,
    search::{Candidate, Neighbour, SearchScratch},
};
#[cfg(feature = "capture")]
use delta_core::pipeline::sequencer::SlotState;
#[cfg(feature = "apply")]
use delta_core::store::ReplicaGraph;
#[cfg(any(feature = "capture", feature = "apply"))]
use delta_core::store::{SliceMemory, SliceStore};

#[cfg(any(feature = "capture", feature = "apply"))]
use crate::error::CallError;
use crate::layout::Layout;
use crate::memory::Staging;
#[cfg(any(feature = "capture", feature = "apply"))]
use crate::memory::claim;

/// The staging area.
pub(crate) fn staging(layout: &Layout) -> Staging {
    // SAFETY: the host leaves the pieces of a layout to the stage that it is opened for (the
    // contract of `exports`), and they are disjoint (`Layout::parse`).
    unsafe { Staging::new(layout.staging) }
}

/// The scratch for decompressed metadata.
#[cfg(feature = "apply")]
pub(crate) fn scratch(layout: &Layout) -> &'static mut [u8] {
    // SAFETY: as in `staging`.
    unsafe { claim(layout.scratch) }
}

/// The memory of searches: what they find, and what they keep and have met on their way.
#[cfg(feature = "apply")]
pub(crate) fn search(layout: &Layout) -> (&'static mut [Neighbour], SearchScratch<'static>) {
    // SAFETY: as in `staging`.
    let found = unsafe { claim(layout.found) };
    // SAFETY: as in `staging`.
    let kept = unsafe { claim::<Candidate>(layout.kept) };
    // SAFETY: as in `staging`.
    let met = unsafe { claim(layout.met) };
    (found, SearchScratch::new(kept, met))
}

/// An empty graph, if the layout has one.
#[cfg(feature = "apply")]
pub(crate) fn graph(layout: &Layout) -> Result<Option<ReplicaGraph<'static>>, CallError> {
    let Some(place) = layout.graph else {
        return Ok(None);
    };
    let invalid = CallError::Layout { word: 24 };
    let (tables, _) = place.shape.tables().ok_or(invalid)?;
    let [neighbours0, degrees0, levels, tombstones, upper_base, upper] =
        tables.map(|(offset, size)| place.extent.part(offset, size));
    // SAFETY (of each): as in `staging`; the parts of the piece are disjoint (`tables`).
    let buffers = GraphBuffers {
        // SAFETY: see above.
        neighbours0: unsafe { claim(neighbours0) },
        // SAFETY: see above.
        degrees0: unsafe { claim(degrees0) },
        // SAFETY: see above.
        levels: unsafe { claim(levels) },
        // SAFETY: see above.
        tombstones: unsafe { claim(tombstones) },
        // SAFETY: see above.
        upper_base: unsafe { claim(upper_base) },
        // SAFETY: see above.
        upper: unsafe { claim(upper) },
    };
    let adjacency = Adjacency::new(place.shape.shape, buffers).map_err(|_| invalid)?;
    Ok(Some(ReplicaGraph::new(adjacency, place.shape.metric)))
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

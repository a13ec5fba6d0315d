//! What inserts and updates say, each once for those that capture it and those that check it.

use super::{Capture, CaptureError};
use crate::{
    codec::Base,
    payload::{
        metadata::MetadataEdit,
        vector::{VectorChange, VectorWriteError},
    },
    ring::{Mem, Notify},
};

impl<M: Mem, N: Notify<M>> Capture<'_, M, N> {
    /// What an insert says, at the slot that is next.
    #[inline]
    pub(super) fn inserted<'c>(
        &self,
        id: &'c [u8],
        row: &'c [f32],
        metadata: &'c [MetadataEdit<'c>],
    ) -> Result<VectorChange<'c>, CaptureError> {
        if id.is_empty() {
            let refusal = VectorWriteError::IdSize { size: 0 };
            return Err(CaptureError::Prepare(refusal.into()));
        }
        Ok(VectorChange {
            slot: self.sequencer.slot_count(),
            base: Base::Zero,
            new: row,
            id,
            graph: None,
            metadata,
        })
    }
}

/// What an update says.
#[inline]
pub(super) const fn updated<'c>(
    slot: u32,
    [old, new]: [&'c [f32]; 2],
    metadata: &'c [MetadataEdit<'c>],
) -> VectorChange<'c> {
    VectorChange {
        slot,
        base: Base::Row(old),
        new,
        id: &[],
        graph: None,
        metadata,
    }
}

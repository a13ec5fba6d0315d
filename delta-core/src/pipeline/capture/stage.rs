//! Memory beside the ring in which payloads are put together.
//!
//! A reader on another core takes a ring's cache lines away, the next ones too that its processor
//! expects to need. Values that are written piece by piece, and read again for the checksum, wait
//! for them several times; a copy of the whole waits once.

use crate::{
    codec::lz4::Lz4Scratch,
    payload::vector::VectorChange,
    pipeline::{
        sequencer::{PrepareError, Prepared, Sequencer},
        shadow::Shadow,
    },
};

/// Room for a payload; none: payloads are written where they stay.
#[derive(Debug, Default)]
pub(super) struct Stage<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Stage<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// Prepares the record of `change`, its payload in the front of `out`: by way of the stage if
    /// it fits. Not in line: every way to capture a row calls it, and it holds all codecs.
    #[inline(never)]
    pub(super) fn prepare(
        &mut self,
        sequencer: &Sequencer<'_>,
        change: &VectorChange<'_>,
        (mut shadow, mut lz4): (Option<&mut Shadow<'_>>, Option<&mut Lz4Scratch>),
        out: &mut [u8],
    ) -> Result<Prepared, PrepareError> {
        let mut is_staged = !self.bytes.is_empty();
        // One call for both ways: it is compiled in line.
        loop {
            let place = if is_staged {
                &mut *self.bytes
            } else {
                &mut *out
            };
            let (shadow, lz4) = (shadow.as_deref_mut(), lz4.as_deref_mut());
            let prepared = sequencer.prepare_values(change, shadow, place, lz4);
            if !is_staged {
                return prepared;
            }
            if let Ok(prepared) = prepared
                && copied(self.bytes, out, prepared.header.payload_size)
            {
                return Ok(prepared);
            }
            // It has no room here, or is refused: that is said below again.
            is_staged = false;
        }
    }
}

/// Copies the first `size` bytes, if both sides have as many.
#[inline]
fn copied(from: &[u8], to: &mut [u8], size: u32) -> bool {
    let size = size as usize;
    match (from.get(..size), to.get_mut(..size)) {
        (Some(from), Some(to)) => {
            to.copy_from_slice(from);
            true
        }
        _ => false,
    }
}

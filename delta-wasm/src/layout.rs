//! Where the host has placed the memory of a stage.

use delta_core::ring::Geometry;

use crate::error::CallError;
use crate::memory::{ALIGN, Extent};

/// A ring region of the host's: where it lies and its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingPlace {
    pub(crate) extent: Extent,
    pub(crate) geometry: Geometry,
}

/// The pieces of memory of one stage, checked: inside the memory, aligned, none overlapping another
/// or the stage's context.
///
/// The host writes them to the context's address as u64 words, little-endian, 0 where the stage has
/// no such piece:
///
/// | word | |
/// |---|---|
/// | 0 | version of this table, 1 |
/// | 1 | dim: components of a row |
/// | 2 | capacity: slots |
/// | 3, 4 | staging area: address, bytes |
/// | 5, 6, 7 | ring that the stage reads: address, slots, payload bytes |
/// | 8, 9, 10 | ring that the stage writes: address, slots, payload bytes |
/// | 11 | rows: address of 4 x dim x capacity bytes |
/// | 12 | slots of the row store: address of 16 x capacity bytes |
/// | 13 | slots of the sequencer: address of 16 x capacity bytes |
/// | 14, 15 | ids and metadata: address, bytes |
/// | 16, 17 | scratch: address, bytes |
/// | 18 | epoch of the first record; 0: 1 |
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dim: u32,
    pub(crate) staging: Extent,
    pub(crate) source: Option<RingPlace>,
    pub(crate) target: Option<RingPlace>,
    pub(crate) rows: Extent,
    pub(crate) slots: Extent,
    pub(crate) states: Extent,
    pub(crate) attributes: Extent,
    pub(crate) scratch: Extent,
    /// At least 1.
    pub(crate) epoch: u32,
}

/// Bytes that a row store and a sequencer keep of a slot.
const SLOT_SIZE: usize = 16;
/// The least alignment of a ring region: a control block's words must not share cache lines.
const RING_ALIGN: usize = 128;

impl Layout {
    /// u64 words that the host writes.
    pub(crate) const WORDS: usize = 19;
    const VERSION: usize = 1;

    /// Checks what the host wrote to the context that takes `context`.
    pub(crate) fn parse(words: [u64; Self::WORDS], context: Extent) -> Result<Self, CallError> {
        let mut numbers = [0; Self::WORDS];
        for (word, (number, value)) in numbers.iter_mut().zip(words).enumerate() {
            let invalid = CallError::Layout { word };
            *number = usize::try_from(value).map_err(|_| invalid)?;
        }
        let [
            version,
            dim,
            capacity,
            staging_at,
            staging_size,
            source_at,
            source_slots,
            source_bytes,
            target_at,
            target_slots,
            target_bytes,
            rows_at,
            slots_at,
            states_at,
            attributes_at,
            attributes_size,
            scratch_at,
            scratch_size,
            epoch,
        ] = numbers;
        if version != Self::VERSION {
            return Err(CallError::Layout { word: 0 });
        }
        let small =
            |value: usize, word| u32::try_from(value).map_err(|_| CallError::Layout { word });
        let size_of_table = |address: usize, each: usize| match address {
            0 => Some(0),
            _ => each.checked_mul(capacity),
        };
        let table = |address: usize, each: Option<usize>, word| {
            let size = each.and_then(|each| size_of_table(address, each));
            let size = size.ok_or(CallError::Layout { word })?;
            Extent::new(address, size, ALIGN)
        };
        let layout = Self {
            dim: small(dim, 1)?,
            staging: Extent::new(staging_at, staging_size, ALIGN)?,
            source: ring(source_at, small(source_slots, 6)?, small(source_bytes, 7)?)?,
            target: ring(target_at, small(target_slots, 9)?, small(target_bytes, 10)?)?,
            rows: table(rows_at, dim.checked_mul(size_of::<f32>()), 11)?,
            slots: table(slots_at, Some(SLOT_SIZE), 12)?,
            states: table(states_at, Some(SLOT_SIZE), 13)?,
            attributes: Extent::new(attributes_at, attributes_size, ALIGN)?,
            scratch: Extent::new(scratch_at, scratch_size, ALIGN)?,
            epoch: small(epoch, 18)?.max(1),
        };
        layout.check_disjoint(context)?;
        Ok(layout)
    }

    fn check_disjoint(&self, context: Extent) -> Result<(), CallError> {
        let ring = |place: Option<RingPlace>| place.map(|place| place.extent);
        let empty = Extent::new(0, 0, 1)?;
        crate::memory::check_disjoint(&[
            context,
            self.staging,
            ring(self.source).unwrap_or(empty),
            ring(self.target).unwrap_or(empty),
            self.rows,
            self.slots,
            self.states,
            self.attributes,
            self.scratch,
        ])
    }
}

fn ring(address: usize, slots: u32, payload_bytes: u32) -> Result<Option<RingPlace>, CallError> {
    if address == 0 {
        return Ok(None);
    }
    let geometry = Geometry::new(slots, payload_bytes).map_err(CallError::Geometry)?;
    let extent = Extent::new(address, geometry.region_size(), RING_ALIGN)?;
    Ok(Some(RingPlace { extent, geometry }))
}

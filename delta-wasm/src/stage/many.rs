//! The rows that one call changes, as they lie in the staging area.

use delta_core::payload::metadata::{MetadataChanges, MetadataError};

use super::capture::CaptureFault;
use crate::error::CallError;
use crate::memory::Staging;
use crate::tensor::Tensor;

/// Bytes of a batch before its entries, and before the values of each.
const BATCH_PREFIX_SIZE: usize = 8;
const ENTRY_PREFIX_SIZE: usize = 12;
/// Most bytes of a size as the wire has it: of a section, of a value.
const SIZE_SIZE_MAX: usize = 5;

/// Where the host has put them.
#[derive(Clone, Copy)]
pub(crate) struct ManyPlaces {
    /// Address of their slots' numbers, a u32 each.
    pub(crate) slots: usize,
    /// How many.
    pub(crate) count: usize,
    /// Address of the descriptor of their new rows.
    pub(crate) tensor: usize,
    /// Address and bytes of their changes of metadata: of each row the size (u32) of a plain
    /// section, and the section; no bytes: no row has one.
    pub(crate) sections: (usize, usize),
}

/// New rows of some slots, and changes of their metadata; all of one length, all well-formed.
#[derive(Clone, Copy)]
pub(super) struct Many<'a> {
    slots: &'a [u32],
    rows: &'a [f32],
    sections: &'a [u8],
    /// At least 1.
    dim: usize,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) slot: u32,
    pub(super) row: &'a [f32],
    pub(super) metadata: MetadataChanges<'a>,
}

impl<'a> Many<'a> {
    /// Checks what the host has put there. O(count x dim + sections).
    pub(super) fn read(
        staging: &'a Staging,
        places: ManyPlaces,
        dim: u32,
    ) -> Result<Self, CaptureFault> {
        let many = Self {
            slots: staging.words(places.slots, places.count)?,
            rows: Tensor::read_rows(staging, places.tensor, dim)?,
            sections: staging.bytes(places.sections.0, places.sections.1)?,
            dim: dim as usize,
        };
        let needed = places.count.saturating_mul(many.dim);
        if many.rows.len() != needed {
            let (needed, given) = (needed.saturating_mul(4), size_of_val(many.rows));
            return Err(CallError::OutputTooSmall { needed, given }.into());
        }
        many.check_sections()?;
        Ok(many)
    }

    fn check_sections(&self) -> Result<(), MetadataError> {
        let mut rest = self.sections;
        let broken = |rest: &[u8]| MetadataError::Truncated {
            offset: self.sections.len() - rest.len(),
        };
        if rest.is_empty() {
            return Ok(());
        }
        for _ in self.slots {
            let section = next_section(&mut rest).ok_or(broken(rest))?;
            MetadataChanges::parse(section)?;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(broken(rest))
        }
    }

    /// Each of them, in the host's order.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change<'a>> {
        let mut rest = self.sections;
        let rows = self.rows.chunks_exact(self.dim);
        self.slots.iter().zip(rows).map(move |(slot, row)| {
            let section = next_section(&mut rest).unwrap_or_default();
            Change {
                slot: *slot,
                row,
                // They were parsed in `read`.
                metadata: MetadataChanges::parse(section).unwrap_or_default(),
            }
        })
    }

    /// Most bytes of the payload that carries all of them.
    pub(super) fn payload_size_max(&self) -> usize {
        let row = ENTRY_PREFIX_SIZE + size_of_val(self.rows.get(..self.dim).unwrap_or_default());
        let entry = |change: Change<'_>| {
            let pairs = change.metadata.into_iter().count();
            let section = change.metadata.as_bytes().len() + SIZE_SIZE_MAX * pairs;
            row + if pairs == 0 {
                0
            } else {
                SIZE_SIZE_MAX + section
            }
        };
        BATCH_PREFIX_SIZE + self.changes().map(entry).sum::<usize>()
    }
}

/// Takes a section and its size off the front of `rest`; `None` if it is cut, and `rest` is as it
/// was.
fn next_section<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (size, behind) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (section, behind) = behind.split_at_checked(size)?;
    *rest = behind;
    Some(section)
}

//! The metadata sections of a batch as one block.

use super::super::{PREFIX_SIZE, entries::split_entry};
use crate::codec::lz4::{Lz4Scratch, PLAIN_SIZE_MAX};

/// Replaces the metadata sections of the entries in the first `size` bytes of `out` by a block
/// behind the entries, if that is smaller. Returns where the entries end then, and the block.
/// `None`: it is not smaller, there is no room in `out` to put the sections together, or they are
/// too large for a block.
pub(super) fn compress(
    out: &mut [u8],
    size: usize,
    lz4: &mut Lz4Scratch,
) -> Option<(usize, usize)> {
    let (entries, room) = out.split_at_mut_checked(size)?;
    let plain_size = gather(entries, room)?;
    let block = lz4.compress(room.get(..plain_size)?, 0)?;
    let entries_end = take_out(entries);
    let end = entries_end + block.len();
    // Fits: the block is smaller than what was taken out.
    out.get_mut(entries_end..end)?.copy_from_slice(block);
    Some((entries_end, end))
}

/// Copies the sections to the front of `room`, one behind the other; their bytes.
fn gather(entries: &[u8], room: &mut [u8]) -> Option<usize> {
    let (mut at, mut size) = (PREFIX_SIZE, 0);
    while let Some(parts) = split_entry(entries.get(at..)?, false) {
        let end = size + parts.section.len();
        if end > PLAIN_SIZE_MAX {
            return None;
        }
        room.get_mut(size..end)?.copy_from_slice(parts.section);
        (at, size) = (entries.len() - parts.tail.len(), end);
    }
    Some(size)
}

/// Moves the entries together, without their sections; where they end.
fn take_out(entries: &mut [u8]) -> usize {
    let (mut from, mut to) = (PREFIX_SIZE, PREFIX_SIZE);
    while let Some(parts) = split_entry(entries.get(from..).unwrap_or_default(), false) {
        let next = entries.len() - parts.tail.len();
        let section_start = next - parts.section.len();
        entries.copy_within(from..section_start, to);
        (from, to) = (next, to + section_start - from);
    }
    to
}

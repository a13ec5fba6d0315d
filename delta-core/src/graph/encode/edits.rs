//! Any set of edits: lists grouped by layer, every slot as its distance to the one before it.

mod reader;

pub(super) use reader::EditsReader;

use super::{ChangeEncodeError, FORM_EDITS};
use crate::{
    codec::varint,
    graph::{Edit, LAYERS_MAX, ListChange, Slots},
};

const OP_MASK: u8 = 0b111;
const OP_CLEAR: u8 = 0;
const OP_TOMBSTONE: u8 = 1;
const OP_INSERT: u8 = 2;
const OP_LISTS: u8 = 3;
const OP_ENTRY: u8 = 4;
/// A level or layer stands above the operation.
const LAYER_SHIFT: u32 = 3;

const KIND_REPLACE: u8 = 0xff;
const KIND_LINK: u8 = 0xfe;
/// In a patch's kind: a varint says how many more than this.
const COUNT_LONG: u8 = 14;

/// Writes a set of edits to the front of `out`; the bytes used. O(size of the lists).
///
/// # Errors
/// [`ChangeEncodeError`]; what stands in `out` then is no change.
pub fn encode_edits<'a, I>(edits: I, out: &mut [u8]) -> Result<usize, ChangeEncodeError>
where
    I: IntoIterator<Item = Edit<'a>>,
    I::IntoIter: Clone,
{
    let size = out.len();
    let mut edits = edits.into_iter();
    let mut index = 0_u32;
    let mut lists_left = 0;
    let mut write = |writer: &mut EditsWriter<'_>, edit: Edit<'a>, rest: I::IntoIter| {
        let Edit::List {
            layer,
            slot,
            change,
        } = edit
        else {
            return writer.edit(&edit);
        };
        if lists_left == 0 {
            lists_left = 1 + group_size(layer, rest);
            writer.group(layer, lists_left)?;
        }
        lists_left -= 1;
        writer.list(slot, change)
    };
    let mut writer = EditsWriter::new(out).map_err(|fault| fault.at(index, size))?;
    while let Some(edit) = edits.next() {
        write(&mut writer, edit, edits.clone()).map_err(|fault| fault.at(index, size))?;
        index = index.saturating_add(1);
    }
    Ok(writer.size())
}

/// Why an edit was not written.
#[derive(Debug)]
pub(in crate::graph) enum Fault {
    Full,
    Unencodable,
}

impl Fault {
    fn at(self, index: u32, size: usize) -> ChangeEncodeError {
        match self {
            Self::Full => ChangeEncodeError::BufferFull { size },
            Self::Unencodable => ChangeEncodeError::Unencodable { index },
        }
    }
}

/// Writes edits one after another.
pub(in crate::graph) struct EditsWriter<'o> {
    out: &'o mut [u8],
    at: usize,
    /// Least slot of the next list in this group.
    next: u32,
    /// What the first slot added is told against: the last one of another list, or the new node.
    reference: u32,
}

impl<'o> EditsWriter<'o> {
    pub(in crate::graph) fn new(out: &'o mut [u8]) -> Result<Self, Fault> {
        let mut writer = Self {
            out,
            at: 0,
            next: 0,
            reference: 0,
        };
        writer.byte(FORM_EDITS)?;
        Ok(writer)
    }

    /// Bytes written.
    pub(in crate::graph) const fn size(&self) -> usize {
        self.at
    }

    /// Appends an edit; a list as a group of its own.
    pub(in crate::graph) fn edit(&mut self, edit: &Edit<'_>) -> Result<(), Fault> {
        match *edit {
            Edit::Clear => self.byte(OP_CLEAR),
            Edit::Tombstone { slot } => {
                self.byte(OP_TOMBSTONE)?;
                self.varint(slot)
            }
            Edit::Insert { slot, level } => {
                self.byte(OP_INSERT | shifted(level)?)?;
                self.reference = slot;
                self.varint(slot)
            }
            Edit::List {
                layer,
                slot,
                change,
            } => {
                self.group(layer, 1)?;
                self.list(slot, change)
            }
            Edit::Entry { slot } => {
                self.byte(OP_ENTRY)?;
                self.varint(slot)
            }
        }
    }

    /// Begins the lists of a layer, of which `lists` follow; nothing if none do.
    pub(in crate::graph) fn group(&mut self, layer: u8, lists: u32) -> Result<(), Fault> {
        if lists == 0 {
            return Ok(());
        }
        self.byte(OP_LISTS | shifted(layer)?)?;
        self.next = 0;
        self.varint(lists)
    }

    /// Appends the next list of a group.
    pub(in crate::graph) fn list(
        &mut self,
        slot: u32,
        change: ListChange<'_>,
    ) -> Result<(), Fault> {
        self.gap(slot)?;
        self.change(change)
    }

    fn change(&mut self, change: ListChange<'_>) -> Result<(), Fault> {
        match change {
            ListChange::Replace(slots) => {
                self.byte(KIND_REPLACE)?;
                self.varint(slots.count())?;
                self.gaps(slots)
            }
            ListChange::Patch { removed, added } => {
                let (added_short, removed_short) = (short(added), short(removed));
                self.byte(added_short | removed_short << 4)?;
                self.long_count(removed_short, removed)?;
                self.long_count(added_short, added)?;
                self.gaps(removed)?;
                self.added(added)
            }
            ListChange::Link { removed, added } => {
                self.byte(KIND_LINK)?;
                let places = removed.count_ones() * 2 + u32::from(added.is_some());
                self.varint(places)?;
                for place in (0..64).filter(|place| removed >> place & 1 == 1) {
                    self.byte(place)?;
                }
                added.map_or(Ok(()), |slot| self.added(Slots::from(&[slot])))
            }
        }
    }

    fn long_count(&mut self, short: u8, slots: Slots<'_>) -> Result<(), Fault> {
        if short == COUNT_LONG {
            self.varint(slots.count() - u32::from(COUNT_LONG))
        } else {
            Ok(())
        }
    }

    /// The first slot by its distance from the reference, which it becomes; the others as gaps.
    fn added(&mut self, slots: Slots<'_>) -> Result<(), Fault> {
        let mut slots = slots.iter();
        let Some(first) = slots.next() else {
            return Ok(());
        };
        self.varint(zigzag(first.wrapping_sub(self.reference)))?;
        self.reference = first;
        let mut next = first.checked_add(1);
        for slot in slots {
            let gap = next.and_then(|next| slot.checked_sub(next));
            self.varint(gap.ok_or(Fault::Unencodable)?)?;
            next = slot.checked_add(1);
        }
        Ok(())
    }

    fn gaps(&mut self, slots: Slots<'_>) -> Result<(), Fault> {
        let lists_next = core::mem::take(&mut self.next);
        slots.iter().try_for_each(|slot| self.gap(slot))?;
        self.next = lists_next;
        Ok(())
    }

    fn gap(&mut self, slot: u32) -> Result<(), Fault> {
        let gap = slot.checked_sub(self.next).ok_or(Fault::Unencodable)?;
        self.next = slot.checked_add(1).ok_or(Fault::Unencodable)?;
        self.varint(gap)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Fault> {
        *self.out.get_mut(self.at).ok_or(Fault::Full)? = byte;
        self.at += 1;
        Ok(())
    }

    fn varint(&mut self, value: u32) -> Result<(), Fault> {
        varint::write(self.out, &mut self.at, value).ok_or(Fault::Full)
    }
}

fn shifted(layer: u8) -> Result<u8, Fault> {
    if layer < LAYERS_MAX {
        Ok(layer << LAYER_SHIFT)
    } else {
        Err(Fault::Unencodable)
    }
}

/// Edits at the front of `edits` that change lists of `layer`.
fn group_size<'a>(layer: u8, edits: impl Iterator<Item = Edit<'a>>) -> u32 {
    let of_layer = |edit: &Edit<'_>| matches!(*edit, Edit::List { layer: of, .. } if of == layer);
    edits.take_while(of_layer).fold(0, |count, _| count + 1)
}

/// A count as a half of a patch's kind.
fn short(slots: Slots<'_>) -> u8 {
    u8::try_from(slots.count()).map_or(COUNT_LONG, |count| count.min(COUNT_LONG))
}

/// Small for small differences of either sign.
const fn zigzag(difference: u32) -> u32 {
    (difference << 1) ^ 0_u32.wrapping_sub(difference >> 31)
}

//! Reads edits of form 0.

use super::{
    COUNT_LONG, KIND_LINK, KIND_REPLACE, LAYER_SHIFT, OP_CLEAR, OP_ENTRY, OP_INSERT, OP_LISTS,
    OP_MASK, OP_TOMBSTONE,
};
use crate::{
    codec::varint,
    graph::{
        Edit, ListChange, Slots,
        encode::{ChangeError, malformed},
    },
};

const fn unzigzag(value: u32) -> u32 {
    (value >> 1) ^ 0_u32.wrapping_sub(value & 1)
}

#[derive(Clone, Debug)]
pub(in crate::graph::encode) struct EditsReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Layer of the group.
    layer: u8,
    /// Lists left in the group.
    lists_left: u32,
    /// Least slot of the next list in the group; `None` if there can be none.
    next: Option<u32>,
    /// As the writer's.
    reference: u32,
    /// Where the bytes break.
    pub(in crate::graph::encode) fault: Option<ChangeError>,
}

impl<'a> EditsReader<'a> {
    /// `bytes` begin with their form.
    pub(in crate::graph::encode) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 1,
            layer: 0,
            lists_left: 0,
            next: None,
            reference: 0,
            fault: None,
        }
    }

    pub(in crate::graph::encode) fn step(&mut self) -> Option<Edit<'a>> {
        if self.lists_left == 0 && self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let edit = self.edit();
        if edit.is_none() {
            self.fault = Some(malformed(start));
        }
        edit
    }

    /// The next edit; `None` if there is none.
    fn edit(&mut self) -> Option<Edit<'a>> {
        if self.lists_left > 0 {
            return self.list();
        }
        let byte = self.byte()?;
        let above = byte >> LAYER_SHIFT;
        match byte & OP_MASK {
            OP_INSERT => {
                let slot = self.varint()?;
                self.reference = slot;
                Some(Edit::Insert { slot, level: above })
            }
            OP_LISTS => {
                self.lists_left = self.varint().filter(|&lists| lists > 0)?;
                self.layer = above;
                self.next = Some(0);
                self.list()
            }
            _ if above != 0 => None,
            OP_CLEAR => Some(Edit::Clear),
            OP_TOMBSTONE => Some(Edit::Tombstone {
                slot: self.varint()?,
            }),
            OP_ENTRY => Some(Edit::Entry {
                slot: self.varint()?,
            }),
            _ => None,
        }
    }

    fn list(&mut self) -> Option<Edit<'a>> {
        self.lists_left -= 1;
        let gap = self.varint()?;
        let slot = self.next?.checked_add(gap)?;
        self.next = slot.checked_add(1);
        let change = match self.byte()? {
            KIND_REPLACE => {
                let count = self.varint()?;
                ListChange::Replace(self.gaps(count)?)
            }
            KIND_LINK => self.link()?,
            kind => {
                let (added, removed) = (kind & 0x0f, kind >> 4);
                let removed = self.long_count(removed)?;
                let added = self.long_count(added)?;
                ListChange::Patch {
                    removed: self.gaps(removed)?,
                    added: self.added(added)?,
                }
            }
        };
        Some(Edit::List {
            layer: self.layer,
            slot,
            change,
        })
    }

    fn link(&mut self) -> Option<ListChange<'a>> {
        let counts = self.varint()?;
        let mut removed = 0_u64;
        for _ in 0..counts / 2 {
            let place = self.byte().filter(|&place| place < 64)?;
            // Above all places before it: ascending, none twice.
            if removed >> place != 0 {
                return None;
            }
            removed |= 1 << place;
        }
        let added = self.added(counts % 2)?.iter().next();
        Some(ListChange::Link { removed, added })
    }

    fn long_count(&mut self, short: u8) -> Option<u32> {
        match short {
            0..COUNT_LONG => Some(u32::from(short)),
            COUNT_LONG => self.varint()?.checked_add(u32::from(COUNT_LONG)),
            _ => None,
        }
    }

    fn gaps(&mut self, count: u32) -> Option<Slots<'a>> {
        let slots = Slots::gaps(self.bytes.get(self.at..)?, count);
        self.at += slots.iter().end()?;
        Some(slots)
    }

    fn added(&mut self, count: u32) -> Option<Slots<'a>> {
        if count == 0 {
            return Some(Slots::EMPTY);
        }
        let first = self.reference.wrapping_add(unzigzag(self.varint()?));
        self.reference = first;
        let slots = Slots::first_and_gaps(first, self.bytes.get(self.at..)?, count);
        self.at += slots.iter().end()?;
        Some(slots)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u32> {
        varint::read(self.bytes, &mut self.at)
    }
}

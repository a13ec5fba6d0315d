//! The insert of one node: its lists as Rice codes, and two bits for each neighbour, of which most
//! have to say no more than "linked back" or "not".

use super::{ChangeError, FORM_INSERT, bits, malformed, trailing};
use crate::{
    codec::varint,
    graph::{Edit, LAYERS_MAX, ListChange, slots::RiceSlots},
};
use bits::BitWriter;

const ENTRY_FLAG: u8 = 0b100;
const LEVEL_SHIFT: u32 = 3;

const COUNT_BITS: u32 = 8;
const PARAMETER_BITS: u32 = 5;
/// Bits of the number of neighbours that a list lost, less 1.
const LOST_BITS: u32 = 3;
/// The number that says: a mask follows.
const LOST_MASK: u32 = 7;
const PLACE_BITS: u32 = 6;

/// What an insert did to the list of one of the new node's neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The list now has the new node.
    pub is_linked: bool,
    /// Bit `i`: the list lost the neighbour that was at its place `i`.
    pub removed: u64,
}

/// Writes the insert of one node: its layers from 0 on, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct InsertWriter<'o> {
    bits: BitWriter<'o>,
    /// Layers still to come.
    layers_left: u8,
}

impl<'o> InsertWriter<'o> {
    /// Starts at the front of `out`. `None` if it is too small or there is no such level.
    pub fn new(out: &'o mut [u8], slot: u32, level: u8, becomes_entry: bool) -> Option<Self> {
        if level >= LAYERS_MAX {
            return None;
        }
        let flag = if becomes_entry { ENTRY_FLAG } else { 0 };
        *out.first_mut()? = FORM_INSERT | flag | level << LEVEL_SHIFT;
        let mut at = 1;
        varint::write(out, &mut at, slot)?;
        Some(Self {
            bits: BitWriter::new(out, at),
            layers_left: level + 1,
        })
    }

    /// Appends the next layer: the new node's neighbours, ascending, at most 255, and what became
    /// of their lists. `None` if the buffer is full, the layer cannot be, or there is not one link
    /// for each neighbour. O(neighbours).
    pub fn layer(&mut self, neighbours: &[u32], links: &[Link]) -> Option<()> {
        self.layers_left = self.layers_left.checked_sub(1)?;
        let count = u8::try_from(neighbours.len()).ok()?;
        if neighbours.len() != links.len() {
            return None;
        }
        self.bits.write(u64::from(count), COUNT_BITS)?;
        if count == 0 {
            return Some(());
        }
        let parameter = best_parameter(neighbours)?;
        self.bits.write(u64::from(parameter), PARAMETER_BITS)?;
        for gap in gaps(neighbours) {
            self.bits.write_rice(gap?, parameter)?;
        }
        links.iter().try_for_each(|link| self.link(*link))
    }

    fn link(&mut self, link: Link) -> Option<()> {
        let lost = link.removed.count_ones();
        let code = u64::from(link.is_linked) | u64::from(lost > 0) << 1;
        self.bits.write(code, 2)?;
        if lost == 0 {
            return Some(());
        }
        let width = 64 - link.removed.leading_zeros();
        if lost <= LOST_MASK && lost * PLACE_BITS <= PLACE_BITS + width {
            self.bits.write(u64::from(lost - 1), LOST_BITS)?;
            let places = (0..64_u64).filter(|place| link.removed >> place & 1 == 1);
            for place in places {
                self.bits.write(place, PLACE_BITS)?;
            }
            return Some(());
        }
        self.bits.write(u64::from(LOST_MASK), LOST_BITS)?;
        self.bits.write(u64::from(width - 1), PLACE_BITS)?;
        self.bits.write(link.removed, width)
    }

    /// The bytes used; `None` if layers are missing.
    #[must_use]
    pub fn finish(self) -> Option<usize> {
        (self.layers_left == 0).then_some(self.bits.size())
    }
}

/// The distances between slots, less 1, the first from 0 on; `None` where slots do not ascend.
fn gaps(slots: &[u32]) -> impl Iterator<Item = Option<u32>> {
    let mut next = Some(0_u32);
    slots.iter().map(move |&slot| {
        let gap = slot.checked_sub(next?);
        next = slot.checked_add(1);
        gap
    })
}

/// The parameter that takes the fewest bits, the least of equals; `None` if slots do not ascend.
fn best_parameter(slots: &[u32]) -> Option<u8> {
    let size = |parameter| {
        gaps(slots).try_fold(0_usize, |sum, gap| {
            Some(sum + bits::rice_size(gap?, parameter)?)
        })
    };
    (0..=bits::PARAMETER_MAX)
        .filter_map(|parameter| Some((size(parameter)?, parameter)))
        .min()
        .map(|(_, parameter)| parameter)
}

#[derive(Clone, Debug)]
pub(super) struct InsertReader<'a> {
    bytes: &'a [u8],
    slot: u32,
    level: u8,
    becomes_entry: bool,
    /// The next bit: of a layer's start, or of the next link.
    bit: usize,
    /// The layer being read; past `level` at the end.
    layer: u8,
    part: Part<'a>,
}

#[derive(Clone, Debug)]
enum Part<'a> {
    Node,
    Layer,
    /// The neighbours, and those whose link was not read yet.
    Links(RiceSlots<'a>, RiceSlots<'a>),
    Entry,
    End,
}

impl<'a> InsertReader<'a> {
    /// `bytes` begin with their form.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, ChangeError> {
        let &form = bytes.first().ok_or(ChangeError::Empty)?;
        let mut at = 1;
        let slot = varint::read(bytes, &mut at).ok_or_else(|| malformed(at))?;
        Ok(Self {
            bytes,
            slot,
            level: form >> LEVEL_SHIFT,
            becomes_entry: form & ENTRY_FLAG != 0,
            bit: at * 8,
            layer: 0,
            part: Part::Node,
        })
    }

    /// Checks the whole string of bits: reading its edits then cannot fail. O(bytes).
    ///
    /// # Errors
    /// [`ChangeError`].
    pub(super) fn check(mut self) -> Result<(), ChangeError> {
        for _ in 0..=self.level {
            let own = self.own_list();
            let own = own.ok_or_else(|| malformed(self.bit / 8))?;
            if !(0..own.left).all(|_| self.link().is_some()) {
                return Err(malformed(self.bit / 8));
            }
        }
        self.check_end()
    }

    #[inline]
    pub(super) fn step(&mut self) -> Option<Edit<'a>> {
        loop {
            match &mut self.part {
                Part::Node => {
                    self.part = Part::Layer;
                    let (slot, level) = (self.slot, self.level);
                    return Some(Edit::Insert { slot, level });
                }
                Part::Layer if self.layer > self.level => self.part = Part::Entry,
                Part::Layer => {
                    let Some(own) = self.own_list() else {
                        return self.broken();
                    };
                    self.part = Part::Links(own, own);
                }
                Part::Links(own, left) => {
                    let (own, next) = (*own, left.next());
                    let Some(slot) = next else {
                        let (layer, slot) = (self.layer, self.slot);
                        self.part = Part::Layer;
                        self.layer += 1;
                        if own.left > 0 {
                            let change = ListChange::Replace(own.slots());
                            return Some(Edit::List {
                                layer,
                                slot,
                                change,
                            });
                        }
                        continue;
                    };
                    let Some((removed, added)) = self.link() else {
                        return self.broken();
                    };
                    if removed != 0 || added.is_some() {
                        let change = ListChange::Link { removed, added };
                        return Some(Edit::List {
                            layer: self.layer,
                            slot,
                            change,
                        });
                    }
                }
                Part::Entry => {
                    self.part = Part::End;
                    if self.becomes_entry {
                        return Some(Edit::Entry { slot: self.slot });
                    }
                }
                Part::End => return None,
            }
        }
    }

    /// As [`step`](Self::step) until it ends, with the place in the bits known at each edit.
    #[inline]
    pub(super) fn fold<B>(mut self, init: B, mut next: impl FnMut(B, Edit<'a>) -> B) -> B {
        let mut all = init;
        if !matches!(self.part, Part::Node) {
            while let Some(edit) = self.step() {
                all = next(all, edit);
            }
            return all;
        }
        let (slot, level) = (self.slot, self.level);
        all = next(all, Edit::Insert { slot, level });
        for layer in 0..=level {
            let Some(own) = self.own_list() else {
                return all;
            };
            for slot in own {
                let Some((removed, added)) = self.link() else {
                    return all;
                };
                if removed != 0 || added.is_some() {
                    let change = ListChange::Link { removed, added };
                    all = next(
                        all,
                        Edit::List {
                            layer,
                            slot,
                            change,
                        },
                    );
                }
            }
            if own.left > 0 {
                let change = ListChange::Replace(own.slots());
                all = next(
                    all,
                    Edit::List {
                        layer,
                        slot,
                        change,
                    },
                );
            }
        }
        if self.becomes_entry {
            all = next(all, Edit::Entry { slot });
        }
        all
    }

    /// Ends the edits, which `check` lets happen only at their end.
    #[cold]
    fn broken(&mut self) -> Option<Edit<'a>> {
        self.part = Part::End;
        None
    }

    /// The new node's list, and `self.bit` behind it.
    pub(super) fn own_list(&mut self) -> Option<RiceSlots<'a>> {
        let count = self.read(COUNT_BITS)?;
        let parameter = if count == 0 {
            0
        } else {
            u8::try_from(self.read(PARAMETER_BITS)?).ok()?
        };
        let own = RiceSlots::new(self.bytes, self.bit, parameter, count);
        let mut rest = own;
        rest.by_ref().for_each(drop);
        self.bit = rest.bit;
        (rest.left == 0).then_some(own)
    }

    /// What the next link says went, by places, and came.
    #[inline]
    fn link(&mut self) -> Option<(u64, Option<u32>)> {
        let code = self.read(2)?;
        let removed = if code & 0b10 == 0 { 0 } else { self.removed()? };
        Some((removed, (code & 1 == 1).then_some(self.slot)))
    }

    fn removed(&mut self) -> Option<u64> {
        let lost = self.read(LOST_BITS)?;
        if lost == LOST_MASK {
            let width = self.read(PLACE_BITS)? + 1;
            let low = self.read(width.min(32))?;
            let high = self.read(width.saturating_sub(32))?;
            let removed = u64::from(low) | u64::from(high) << 32;
            // The mask is as wide as its last place needs.
            return (removed >> (width - 1) == 1).then_some(removed);
        }
        let mut removed = 0_u64;
        for _ in 0..=lost {
            let place = self.read(PLACE_BITS)?;
            if removed >> place != 0 {
                return None;
            }
            removed |= 1 << place;
        }
        Some(removed)
    }

    /// Reads at most 32 bits.
    #[inline]
    fn read(&mut self, width: u32) -> Option<u32> {
        let value = bits::read(self.bytes, &mut self.bit, width)?;
        u32::try_from(value).ok()
    }

    /// No byte and no set bit follows.
    fn check_end(&self) -> Result<(), ChangeError> {
        let (mut bit, left) = (self.bit, self.bit.next_multiple_of(8) - self.bit);
        let padding = bits::read(self.bytes, &mut bit, u32::try_from(left).unwrap_or(0));
        if padding != Some(0) || bit / 8 != self.bytes.len() {
            return Err(trailing(self.bit / 8));
        }
        Ok(())
    }
}

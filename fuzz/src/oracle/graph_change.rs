//! Section 8: graph changes, decoded.

use super::bytes::Bytes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Clear,
    Tombstone(u32),
    Insert {
        slot: u32,
        level: u8,
    },
    List {
        layer: u8,
        slot: u32,
        change: Change,
    },
    Entry(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Replace(Vec<u32>),
    Patch {
        removed: Vec<u32>,
        added: Vec<u32>,
    },
    /// Places in the list as it was, ascending.
    Link {
        places: Vec<u32>,
        added: Option<u32>,
    },
}

/// The edits of a change.
pub fn decode(bytes: &[u8]) -> Option<Vec<Edit>> {
    match bytes.first()? & 3 {
        0 if bytes[0] == 0 => edits(Bytes(&bytes[1..])),
        1 => insert(bytes[0], Bytes(&bytes[1..])),
        2 if bytes[0] & !0b1110 == 0 => edges(bytes[0], Bytes(&bytes[1..])),
        _ => None,
    }
}

/// Form 0.
fn edits(mut rest: Bytes<'_>) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut reference = 0;
    while !rest.0.is_empty() {
        let byte = rest.u8()?;
        let above = byte >> 3;
        match byte & 7 {
            2 => {
                let slot = rest.varint()?;
                reference = slot;
                edits.push(Edit::Insert { slot, level: above });
            }
            3 => {
                let count = rest.varint().filter(|&count| count > 0)?;
                let mut next = 0_u64;
                for _ in 0..count {
                    let slot = u32::try_from(next + u64::from(rest.varint()?)).ok()?;
                    next = u64::from(slot) + 1;
                    let change = list(&mut rest, &mut reference)?;
                    edits.push(Edit::List {
                        layer: above,
                        slot,
                        change,
                    });
                }
            }
            _ if above != 0 => return None,
            0 => edits.push(Edit::Clear),
            1 => edits.push(Edit::Tombstone(rest.varint()?)),
            4 => edits.push(Edit::Entry(rest.varint()?)),
            _ => return None,
        }
    }
    Some(edits)
}

fn list(rest: &mut Bytes<'_>, reference: &mut u32) -> Option<Change> {
    match rest.u8()? {
        0xff => {
            let count = rest.varint()?;
            Some(Change::Replace(gaps(rest, Vec::new(), count)?))
        }
        0xfe => {
            let counts = rest.varint()?;
            let mut places: Vec<u32> = Vec::new();
            for _ in 0..counts / 2 {
                let place = u32::from(rest.u8()?);
                if place > 63 || places.last().is_some_and(|&last| last >= place) {
                    return None;
                }
                places.push(place);
            }
            let added = added(rest, counts % 2, reference)?.first().copied();
            Some(Change::Link { places, added })
        }
        kind => {
            let removed = long_count(rest, kind >> 4)?;
            let come = long_count(rest, kind & 15)?;
            Some(Change::Patch {
                removed: gaps(rest, Vec::new(), removed)?,
                added: added(rest, come, reference)?,
            })
        }
    }
}

fn long_count(rest: &mut Bytes<'_>, short: u8) -> Option<u32> {
    match short {
        15 => None,
        14 => rest.varint()?.checked_add(14),
        short => Some(u32::from(short)),
    }
}

/// `count` more slots as gaps behind `slots`.
fn gaps(rest: &mut Bytes<'_>, mut slots: Vec<u32>, count: u32) -> Option<Vec<u32>> {
    for _ in 0..count {
        let next = slots.last().map_or(0, |&last| u64::from(last) + 1);
        slots.push(u32::try_from(next + u64::from(rest.varint()?)).ok()?);
    }
    (!slots.contains(&u32::MAX)).then_some(slots)
}

fn added(rest: &mut Bytes<'_>, count: u32, reference: &mut u32) -> Option<Vec<u32>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let zigzag = u64::from(rest.varint()?);
    let difference = match zigzag % 2 {
        0 => zigzag / 2,
        _ => (1 << 32) - zigzag.div_ceil(2),
    };
    *reference = reference.wrapping_add(difference as u32);
    gaps(rest, vec![*reference], count - 1)
}

/// A string of bits, in each byte the least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u64> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(u64::from(bit))
    }

    fn number(&mut self, width: u32) -> Option<u64> {
        (0..width).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }

    fn rice(&mut self, parameter: u32) -> Option<u64> {
        let mut quotient = 0;
        while self.bit()? == 1 {
            quotient += 1;
            if quotient > 24 {
                return None;
            }
        }
        Some(quotient << parameter | self.number(parameter)?)
    }

    /// The places that went, ascending.
    fn places(&mut self) -> Option<Vec<u32>> {
        let n = self.number(3)?;
        if n == 7 {
            let width = self.number(6)? as u32 + 1;
            let mask = self.number(width)?;
            let is_set = |&place: &u32| mask >> place & 1 == 1;
            return is_set(&(width - 1)).then(|| (0..width).filter(is_set).collect());
        }
        let mut places = Vec::new();
        for _ in 0..=n {
            let place = self.number(6)? as u32;
            if places.last().is_some_and(|&last| last >= place) {
                return None;
            }
            places.push(place);
        }
        Some(places)
    }
}

/// Form 1.
fn insert(form: u8, mut rest: Bytes<'_>) -> Option<Vec<Edit>> {
    let (level, new) = (form >> 3, rest.varint()?);
    let mut edits = vec![Edit::Insert { slot: new, level }];
    let mut bits = Bits {
        bytes: rest.0,
        at: 0,
    };
    for layer in 0..=level {
        let count = bits.number(8)?;
        let parameter = if count == 0 {
            0
        } else {
            bits.number(5)? as u32
        };
        let mut neighbours: Vec<u32> = Vec::new();
        for _ in 0..count {
            let next = neighbours.last().map_or(0, |&last| u64::from(last) + 1);
            neighbours.push(u32::try_from(next + bits.rice(parameter)?).ok()?);
        }
        if neighbours.contains(&u32::MAX) {
            return None;
        }
        for &slot in &neighbours {
            let comes = bits.bit()? == 1;
            let places = if bits.bit()? == 1 {
                bits.places()?
            } else {
                Vec::new()
            };
            if comes || !places.is_empty() {
                let added = comes.then_some(new);
                let change = Change::Link { places, added };
                edits.push(Edit::List {
                    layer,
                    slot,
                    change,
                });
            }
        }
        if !neighbours.is_empty() {
            let change = Change::Replace(neighbours);
            edits.push(Edit::List {
                layer,
                slot: new,
                change,
            });
        }
    }
    let whole = bits.at.next_multiple_of(8);
    let padding = bits.number((whole - bits.at) as u32)?;
    if padding != 0 || whole / 8 != rest.0.len() {
        return None;
    }
    if form & 4 != 0 {
        edits.push(Edit::Entry(new));
    }
    Some(edits)
}

/// Form 2.
fn edges(form: u8, mut rest: Bytes<'_>) -> Option<Vec<Edit>> {
    let layer = rest.u8().filter(|&layer| layer < 32)?;
    let (come, go) = (rest.u32()?, rest.u32()?);
    let mut pairs = |count: u32, weighs: bool| {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for _ in 0..count {
            let pair = (rest.u32()?, rest.u32()?);
            if pairs.last().is_some_and(|&last| last >= pair) {
                return None;
            }
            if weighs {
                rest.u32()?;
            }
            pairs.push(pair);
        }
        Some(pairs)
    };
    let (come, go) = (pairs(come, form & 4 != 0)?, pairs(go, false)?);
    let entry = if form & 8 != 0 {
        Some(rest.u32()?)
    } else {
        None
    };
    if !rest.0.is_empty() {
        return None;
    }
    let mut slots: Vec<u32> = come.iter().chain(&go).map(|pair| pair.0).collect();
    slots.sort_unstable();
    slots.dedup();
    let of = |slot: u32, pairs: &[(u32, u32)]| {
        pairs
            .iter()
            .filter(|pair| pair.0 == slot)
            .map(|pair| pair.1)
            .collect()
    };
    let lists = slots.iter().map(|&slot| Edit::List {
        layer,
        slot,
        change: Change::Patch {
            removed: of(slot, &go),
            added: of(slot, &come),
        },
    });
    Some(lists.chain(entry.map(Edit::Entry)).collect())
}

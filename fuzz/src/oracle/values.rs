//! Section 4, tags 3 to 9: differences, number by number and bit by bit.

use super::bytes::Bytes;

/// Codes of the tables: the lengths that the page lists.
const LENGTHS: [[usize; 16]; 7] = [
    [1, 2, 3, 4, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8],
    [1, 2, 3, 5, 5, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8],
    [2, 2, 2, 3, 4, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 8],
    [2, 2, 2, 4, 4, 5, 5, 6, 6, 7, 8, 8, 8, 8, 8, 8],
    [2, 2, 3, 3, 3, 5, 5, 6, 6, 7, 8, 8, 8, 8, 8, 8],
    [2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8],
    [2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 8, 8],
];

/// The head of checked values, and what is decoded only against a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub tag: u8,
    /// As it was given, without the tag.
    pub bytes: Vec<u8>,
    dim: u32,
    /// What the list has: 0 there is none, 1 those that change, 2 the others.
    kind: u8,
    listed: Vec<u32>,
    /// Offset of the numbers.
    numbers_at: usize,
}

/// A string of bits and its reader.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn number(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }

    /// The number whose code comes next.
    fn code(&mut self, table: usize) -> Option<u32> {
        let lengths = LENGTHS[table];
        let (mut value, mut first, mut length) = (0, 0, 0);
        loop {
            value = value << 1 | self.bit()?;
            first <<= 1;
            length += 1;
            let of_length = || (0..16).filter(|number| lengths[*number] == length);
            let count = of_length().count() as u32;
            if value < first + count {
                return of_length().nth((value - first) as usize).map(|n| n as u32);
            }
            first += count;
        }
    }

    /// What follows the string, if it is padded with zeros.
    fn rest(mut self) -> Option<&'a [u8]> {
        while !self.at.is_multiple_of(8) {
            if self.bit()? != 0 {
                return None;
            }
        }
        self.bytes.get(self.at / 8..)
    }
}

impl Packed {
    pub fn parse(tag: u8, bytes: &[u8], dim: u32) -> Option<Self> {
        let mut rest = Bytes(bytes);
        if tag == 9 {
            let size = (8 * u64::from(dim)).min(1 << 32);
            let listed = list(&mut rest, size)?;
            return rest.0.is_empty().then(|| Self {
                tag,
                bytes: bytes.to_vec(),
                dim,
                kind: 1,
                listed,
                numbers_at: bytes.len(),
            });
        }
        let scale = rest.u8()?;
        let kind = if tag <= 4 {
            let (flags, floor) = (rest.u8()?, rest.u8()?);
            if flags & 0x1f > 22 || !(24..=254).contains(&floor) {
                return None;
            }
            flags >> 6
        } else if tag >= 7 {
            let count = rest.u8()?;
            rest.take(4 * usize::from(count & 0x7f))?;
            match (tag, count >> 7) {
                (7, others) => 1 + others,
                // Without a list, or with one of those that are not +0.0.
                (_, is_listed) => is_listed,
            }
        } else {
            let (bound, rms) = (rest.u16()?, rest.u16()?);
            step(bound, rms)?;
            (bound >> 15) as u8 | ((rms >> 15) as u8 * 2)
        };
        if scale & 7 == 7 || kind == 3 || kind > 0 && matches!(tag, 4 | 6) {
            return None;
        }
        let listed = match kind {
            0 => Vec::new(),
            _ => list(&mut rest, dim.into())?,
        };
        Some(Self {
            tag,
            bytes: bytes.to_vec(),
            dim,
            kind,
            listed,
            numbers_at: bytes.len() - rest.0.len(),
        })
    }

    /// Changes `row`, or says that the rest of the bytes is broken, and leaves it.
    pub fn apply(&self, row: &mut [u32]) -> Option<()> {
        if self.tag == 9 {
            return self.flips(row);
        }
        let scale = self.bytes[0];
        let (table, low) = (usize::from(scale & 7), u32::from(scale >> 3));
        let packed = &self.bytes[self.numbers_at..];
        let mut numbers = Vec::new();
        let indices = self.indices();
        let mut bits = Bits::new(packed);
        for _ in &indices {
            numbers.push(bits.number(low)?);
        }
        let mut bits = Bits::new(bits.rest()?);
        for number in &mut numbers {
            let high = match bits.code(table)? {
                15 => bits.number(32 - low)?,
                high => high,
            };
            // What does not fit 32 bits is lost.
            *number |= (u64::from(high) << low) as u32;
        }
        let rest = bits.rest()?;
        let mut new = if self.tag.is_multiple_of(2) {
            vec![0; row.len()]
        } else {
            row.to_vec()
        };
        let end = match self.tag {
            3 | 4 => self.grid(&indices, &numbers, &mut new, rest)?,
            7 | 8 => self.ranks(&indices, &numbers, &mut new, rest)?,
            _ => self.steps(&indices, &numbers, &mut new, rest),
        };
        if !end.is_empty() {
            return None;
        }
        row.copy_from_slice(&new);
        Some(())
    }

    fn grid<'a>(
        &self,
        indices: &[u32],
        numbers: &[u32],
        new: &mut [u32],
        rest: &'a [u8],
    ) -> Option<&'a [u8]> {
        let (flags, floor) = (self.bytes[1], u32::from(self.bytes[2]));
        let trimmed = u32::from(flags & 0x1f);
        let mut tails = (flags & 0x20 != 0).then(|| Bits::new(rest));
        for (&index, &number) in indices.iter().zip(numbers) {
            let component = &mut new[index as usize];
            let exponent = (*component >> 23 & 0xff).max(floor).min(254);
            let power = exponent as i32 - 150 + trimmed as i32;
            let steps = steps_of(*component, power).wrapping_add(signed(number));
            let significant = 32 - steps.unsigned_abs().leading_zeros();
            *component = match &mut tails {
                Some(tails) if steps == 0 => match tails.bit()? {
                    0 => 0,
                    _ => tails.number(32 - trimmed)? << trimmed,
                },
                Some(tails) if significant < 24 - trimmed => {
                    let missing = 24 - trimmed - significant;
                    let fraction = steps.unsigned_abs() << missing | tails.number(missing)?;
                    (steps as u32 & 1 << 31)
                        | (exponent - missing) << 23
                        | (fraction << trimmed & 0x7f_ffff)
                }
                // An f64 holds any i32 and power; the cast rounds.
                _ => ((f64::from(steps) * 2.0_f64.powi(power)) as f32).to_bits(),
            };
        }
        match tails {
            Some(tails) => tails.rest(),
            None => Some(rest),
        }
    }

    fn steps<'a>(
        &self,
        indices: &[u32],
        numbers: &[u32],
        new: &mut [u32],
        rest: &'a [u8],
    ) -> &'a [u8] {
        let mut head = Bytes(&self.bytes[1..]);
        let (bound, rms) = (head.u16().unwrap_or(0), head.u16().unwrap_or(0));
        let step = step(bound, rms).unwrap_or(0.0);
        for (&index, &number) in indices.iter().zip(numbers) {
            let component = &mut new[index as usize];
            let moved = f32::from_bits(*component) + signed(number) as f32 * step;
            *component = if moved.is_nan() {
                0x7fc0_0000
            } else {
                moved.to_bits()
            };
        }
        rest
    }

    fn ranks<'a>(
        &self,
        indices: &[u32],
        numbers: &[u32],
        new: &mut [u32],
        rest: &'a [u8],
    ) -> Option<&'a [u8]> {
        let mut fresh = Bytes(&self.bytes[2..]);
        let mut values: Vec<i64> = new.iter().map(|&bits| place(bits)).collect();
        for _ in 0..self.bytes[1] & 0x7f {
            values.push(place(fresh.u32()?));
        }
        values.sort_unstable();
        values.dedup();
        if values.len() > 128 {
            return None;
        }
        for (&index, &number) in indices.iter().zip(numbers) {
            let component = &mut new[index as usize];
            let rank = values.binary_search(&place(*component)).ok()? as i64;
            let least = u32::from(self.kind > 0);
            let moved = signed(number.wrapping_add(least));
            let value = values.get(usize::try_from(rank + i64::from(moved)).ok()?)?;
            if moved == 0 && self.kind > 0 {
                return None;
            }
            *component = if *value < 0 {
                1 << 31 | (-1 - value) as u32
            } else {
                *value as u32
            };
        }
        Some(rest)
    }

    fn flips(&self, row: &mut [u32]) -> Option<()> {
        let mut new = row.to_vec();
        for position in &self.listed {
            let component = &mut new[*position as usize / 8];
            let is_this = |byte: &u8| f32::from(*byte).to_bits() == *component;
            let byte = (0..=u8::MAX).find(is_this)?;
            *component = f32::from(byte ^ 1 << (position % 8)).to_bits();
        }
        row.copy_from_slice(&new);
        Some(())
    }

    /// Components that change.
    fn indices(&self) -> Vec<u32> {
        let is_listed = |index: &u32| self.listed.binary_search(index).is_ok();
        let all = 0..self.dim;
        match self.kind {
            0 => all.collect(),
            1 => self.listed.clone(),
            _ => all.filter(|index| !is_listed(index)).collect(),
        }
    }
}

/// Where bits stand in the order of values: negative numbers, -0.0 the greatest, below 0.
fn place(bits: u32) -> i64 {
    let magnitude = i64::from(bits & 0x7fff_ffff);
    match bits >> 31 {
        0 => magnitude,
        _ => -1 - magnitude,
    }
}

fn signed(number: u32) -> i32 {
    match number % 2 {
        0 => (number / 2) as i32,
        _ => -((number / 2) as i32) - 1,
    }
}

/// The whole multiples of 2^power in a component.
fn steps_of(bits: u32, power: i32) -> i32 {
    let steps = f64::from(f32::from_bits(bits)) / 2.0_f64.powi(power);
    if steps.abs() < f64::from(1 << 28) {
        steps.trunc() as i32
    } else {
        0
    }
}

fn step(bound: u16, rms: u16) -> Option<f32> {
    let widened = |half: u16| f32::from_bits(u32::from(half & 0x7fff) << 16);
    let (bound, rms) = (widened(bound), widened(rms));
    let step = 2.0 * bound * rms;
    let is_bound = (2.0_f32.powi(-20)..=1.0).contains(&bound);
    (is_bound && step.is_normal() && (1.0 / step).is_normal()).then_some(step)
}

fn list(rest: &mut Bytes<'_>, size: u64) -> Option<Vec<u32>> {
    let (count, parameter) = (rest.varint()?, rest.u8()?);
    if parameter > 31 {
        return None;
    }
    let mut bits = Bits::new(rest.0);
    let mut listed = Vec::new();
    let mut next = 0_u64;
    for _ in 0..count {
        let mut quotient = 0_u64;
        while bits.bit()? == 1 {
            quotient += 1;
        }
        let remainder = bits.number(parameter.into())?;
        let index = next + (quotient << parameter) + u64::from(remainder);
        if index >= size {
            return None;
        }
        listed.push(index as u32);
        next = index + 1;
    }
    rest.0 = bits.rest()?;
    Some(listed)
}

//! Section 9: tensors by coordinates, one element at a time.

use super::bytes::Bytes;
use super::digest::{lane_key, mix, slot_key, xxh3};
use super::payload::values;

/// Bytes of an element of each type.
const WIDTHS: [usize; 7] = [4, 2, 2, 1, 1, 2, 4];
const F32: u8 = 0;
/// Elements of the longest row that tags 3, 4 and 7 to 10 are for.
const DIFFERENCES_MAX: u32 = 1_024;
const ELEMENTS_MAX: u64 = 1 << 30;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub dtype: u8,
    pub extents: Vec<u32>,
    /// The bits of all elements.
    pub elements: Vec<u32>,
    /// Bytes that there is room for.
    pub capacity: usize,
}

impl Tensor {
    pub fn zeros(dtype: u8, extents: &[u32], capacity: usize) -> Self {
        let elements = vec![0; extents.iter().product::<u32>() as usize];
        let extents = extents.to_vec();
        Self {
            dtype,
            extents,
            elements,
            capacity,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let width = WIDTHS[usize::from(self.dtype)];
        let elements = self.elements.iter();
        elements
            .flat_map(|bits| bits.to_le_bytes()[..width].to_vec())
            .collect()
    }

    fn row_elements(&self) -> usize {
        let extents = match self.extents.len() {
            0 | 1 => &self.extents[..],
            _ => &self.extents[1..],
        };
        extents.iter().product::<u32>() as usize
    }

    fn rows(&self) -> usize {
        match self.extents.len() {
            0 | 1 => 1,
            _ => self.extents[0] as usize,
        }
    }

    /// The terms of the tensor in `slot`.
    pub fn digest(&self, slot: u32) -> u64 {
        let mut shape = vec![self.dtype, self.extents.len() as u8];
        shape.extend(self.extents.iter().flat_map(|extent| extent.to_le_bytes()));
        let mut sum = mix(slot_key(slot) ^ xxh3(&shape));
        let row_elements = self.row_elements();
        for (index, &bits) in self.elements.iter().enumerate() {
            let (row, d) = (index / row_elements, index % row_elements);
            let row_key = mix(slot_key(slot) ^ mix(0x3_0000_0000 + row as u64)) | 1;
            let term = u64::from(bits).wrapping_mul(lane_key(d as u64));
            sum = sum.wrapping_add(row_key.wrapping_mul(term));
        }
        sum
    }

    /// The coordinates of an element, and back.
    fn place(&self, mut index: usize) -> Vec<u32> {
        let mut place = vec![0; self.extents.len()];
        for (at, &extent) in place.iter_mut().zip(&self.extents).rev() {
            *at = (index % extent as usize) as u32;
            index /= extent as usize;
        }
        place
    }

    fn at(&self, place: &[u32]) -> u32 {
        let index = place.iter().zip(&self.extents);
        let index = index.fold(0, |sum, (&at, &extent)| sum * extent as usize + at as usize);
        self.elements[index]
    }

    /// A tensor of other extents whose elements are what `of` says of their places; `None` if there
    /// is no room for them.
    fn rebuilt(&self, extents: &[u32], of: impl Fn(&[u32]) -> u32) -> Option<Self> {
        if !is_shape(extents) {
            return None;
        }
        let size = extents
            .iter()
            .map(|&extent| u64::from(extent))
            .product::<u64>();
        if size * WIDTHS[usize::from(self.dtype)] as u64 > self.capacity as u64 {
            return None;
        }
        let mut new = Self::zeros(self.dtype, extents, self.capacity);
        new.elements = (0..new.elements.len())
            .map(|index| of(&new.place(index)))
            .collect();
        Some(new)
    }
}

fn is_shape(extents: &[u32]) -> bool {
    let mut product = 1_u64;
    extents.len() <= 6
        && extents.iter().all(|&extent| {
            product *= u64::from(extent.max(1));
            product <= ELEMENTS_MAX
        })
}

/// The fields that every payload has, and what follows them.
struct Fields<'a> {
    slot: u32,
    dtype: u8,
    kind: u8,
    /// Axis or number of axes.
    axis: u8,
    first: u32,
    second: u32,
    rest: Bytes<'a>,
}

/// `None` for what no reader of tensors takes.
fn fields(payload: &[u8]) -> Option<Fields<'_>> {
    let mut rest = Bytes(payload);
    let slot = rest.u32()?;
    let (dtype, kind, axis, zero) = (rest.u8()?, rest.u8()?, rest.u8()?, rest.u8()?);
    let (first, second) = (rest.u32()?, rest.u32()?);
    let fits = usize::from(dtype) < WIDTHS.len()
        && zero == 0
        && match kind {
            0 => first == 0 && second == 0,
            1 => axis == 0 && first > 0 && second > 0,
            2 => axis < 6 && second > 0 && narrow(rest.0, dtype).is_some(),
            3 | 4 => axis < 6 && second > 0 && rest.0.is_empty(),
            _ => false,
        };
    fits.then_some(Fields {
        slot,
        dtype,
        kind,
        axis,
        first,
        second,
        rest,
    })
}

/// Whether the update of whatever tensor in these bytes is relative; `None` if they have not the
/// form of one.
pub fn relative(payload: &[u8]) -> Option<bool> {
    let fields = fields(payload)?;
    match fields.kind {
        0 => dense(fields.axis, fields.dtype, fields.rest).map(|_| false),
        1 => entries(&fields).map(|rows| rows.iter().any(|(_, tag, _)| matches!(tag, 3 | 7 | 9))),
        _ => Some(false),
    }
}

/// The tensor after the change in `payload`, and its slot; `None` if it is refused.
pub fn after(tensors: &[Tensor], payload: &[u8]) -> Option<(u32, Tensor)> {
    let fields = fields(payload)?;
    let tensor = tensors.get(fields.slot as usize)?;
    if fields.dtype != tensor.dtype {
        return None;
    }
    let changed = match fields.kind {
        0 => {
            let (extents, elements) = dense(fields.axis, fields.dtype, fields.rest)?;
            let given = Tensor {
                elements,
                extents,
                ..tensor.clone()
            };
            tensor.rebuilt(&given.extents, |place| given.at(place))?
        }
        1 => rows(tensor, &fields)?,
        _ => slab(tensor, &fields)?,
    };
    Some((fields.slot, changed))
}

/// Extents and elements.
fn dense(rank: u8, dtype: u8, mut rest: Bytes<'_>) -> Option<(Vec<u32>, Vec<u32>)> {
    let extents: Vec<u32> = (0..rank).map(|_| rest.u32()).collect::<Option<_>>()?;
    let elements = narrow(rest.0, dtype)?;
    let fits = is_shape(&extents) && size_of_all(&extents) == elements.len() as u64;
    fits.then_some((extents, elements))
}

/// Number of elements.
fn size_of_all(extents: &[u32]) -> u64 {
    let sizes = extents.iter().map(|&extent| u64::from(extent));
    sizes.fold(1, u64::saturating_mul)
}

/// The bits of whole elements.
fn narrow(bytes: &[u8], dtype: u8) -> Option<Vec<u32>> {
    let width = WIDTHS[usize::from(dtype)];
    let elements = bytes.chunks(width).map(|element| {
        let mut bits = [0; 4];
        bits[..element.len()].copy_from_slice(element);
        u32::from_le_bytes(bits)
    });
    bytes
        .len()
        .is_multiple_of(width)
        .then(|| elements.collect())
}

/// Row, tag and encoded elements of each entry.
fn entries<'a>(fields: &Fields<'a>) -> Option<Vec<(u64, u8, &'a [u8])>> {
    let mut rest = fields.rest;
    let (mut entries, mut next) = (Vec::new(), 0_u64);
    for _ in 0..fields.second {
        let row = next + u64::from(rest.varint()?);
        next = row + 1;
        let size = rest.varint()?;
        let tag = rest.u8()?;
        let bytes = rest.take(size as usize)?;
        if next > u64::from(u32::MAX) || !is_encoded(fields.dtype, tag, bytes, fields.first) {
            return None;
        }
        entries.push((row, tag, bytes));
    }
    rest.0.is_empty().then_some(entries)
}

fn rows(tensor: &Tensor, fields: &Fields<'_>) -> Option<Tensor> {
    if fields.first as usize != tensor.row_elements() {
        return None;
    }
    let mut changed = tensor.clone();
    for (row, tag, bytes) in entries(fields)? {
        if row >= tensor.rows() as u64 {
            return None;
        }
        let start = row as usize * tensor.row_elements();
        let row = &mut changed.elements[start..start + tensor.row_elements()];
        if WIDTHS[usize::from(tensor.dtype)] == 4 {
            values(tag, bytes, fields.first)?.apply(row)?;
        } else if tag == 1 {
            row.copy_from_slice(&narrow(bytes, tensor.dtype)?);
        } else {
            for (index, bits) in sparse(bytes, tensor.dtype)? {
                row[index as usize] = bits;
            }
        }
    }
    Some(changed)
}

/// Whether these are encoded elements of a row of `count`.
fn is_encoded(dtype: u8, tag: u8, bytes: &[u8], count: u32) -> bool {
    let width = WIDTHS[usize::from(dtype)];
    match tag {
        0..=2 if width == 4 => values(tag, bytes, count).is_some(),
        3 | 4 | 7..=10 if dtype == F32 && count <= DIFFERENCES_MAX => {
            values(tag, bytes, count).is_some()
        }
        _ if width == 4 => false,
        1 => bytes.len() as u64 == width as u64 * u64::from(count),
        2 => sparse(bytes, dtype)
            .is_some_and(|changes| changes.iter().all(|(index, _)| *index < u64::from(count))),
        _ => false,
    }
}

/// Index and bits of narrow elements.
fn sparse(bytes: &[u8], dtype: u8) -> Option<Vec<(u64, u32)>> {
    let (mut rest, mut next, mut changes) = (Bytes(bytes), 0_u64, Vec::new());
    while changes.is_empty() || !rest.0.is_empty() {
        let index = next + u64::from(rest.varint()?);
        next = index + 1;
        let element = rest.take(WIDTHS[usize::from(dtype)])?;
        changes.push((index, narrow(element, dtype)?[0]));
    }
    Some(changes)
}

fn slab(tensor: &Tensor, fields: &Fields<'_>) -> Option<Tensor> {
    let axis = usize::from(fields.axis);
    let (start, count) = (fields.first, fields.second);
    let extent = *tensor.extents.get(axis)?;
    let end = start.checked_add(count)?;
    if start > extent || (fields.kind > 2 && end > extent) {
        return None;
    }
    let mut extents = tensor.extents.clone();
    let inside = |place: &[u32]| (start..end).contains(&place[axis]);
    let moved = |place: &[u32], to: u32| {
        let mut place = place.to_vec();
        place[axis] = to;
        place
    };
    match fields.kind {
        2 => {
            let mut of_slab = tensor.extents.clone();
            of_slab[axis] = count;
            let elements = narrow(fields.rest.0, tensor.dtype)?;
            if size_of_all(&of_slab) != elements.len() as u64 {
                return None;
            }
            let given = Tensor {
                elements,
                extents: of_slab,
                ..tensor.clone()
            };
            extents[axis] = extent.max(end);
            tensor.rebuilt(&extents, |place| match inside(place) {
                true => given.at(&moved(place, place[axis] - start)),
                false => tensor.at(place),
            })
        }
        3 => tensor.rebuilt(&extents, |place| match inside(place) {
            true => 0,
            false => tensor.at(place),
        }),
        _ => {
            extents[axis] = extent - count;
            tensor.rebuilt(&extents, |place| match place[axis] < start {
                true => tensor.at(place),
                false => tensor.at(&moved(place, place[axis] + count)),
            })
        }
    }
}

//! What the tests of several modules share: rows of any bits, a replica's memory, frames.

use crate::{
    codec::Values,
    header::DeltaHeader,
    store::{Replica, SliceMemory, SliceStore, Slot, state_digest},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Bits that float operations, comparisons or conversions tend to lose.
const DELICATE: [u32; 10] = [
    0x0000_0000, // +0.0
    0x8000_0000, // -0.0
    0x0000_0001, // least subnormal
    0x807f_ffff, // greatest negative subnormal
    0x7f80_0000, // infinity
    0xff80_0000, // -infinity
    0x7f80_0001, // a signalling NaN
    0x7fc0_0000, // the usual NaN
    0xffff_ffff, // a NaN with all its payload
    0x3f80_0000, // 1.0
];

pub(crate) fn any_bits() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), select(&DELICATE[..])]
}

pub(crate) fn any_row(dim: usize) -> impl Strategy<Value = Vec<f32>> {
    vec(any_bits().prop_map(f32::from_bits), dim)
}

/// An old and a new row of 1 to `dim_max` components, of which a share from none to all differ.
pub(crate) fn any_change(dim_max: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1..=dim_max, 0..=100_u8).prop_flat_map(|(dim, percent)| {
        let component = (any_bits(), any_bits(), 0..100_u8).prop_map(move |(old, new, dice)| {
            let new = if dice < percent { new } else { old };
            (f32::from_bits(old), f32::from_bits(new))
        });
        vec(component, dim).prop_map(|row| row.into_iter().unzip())
    })
}

pub(crate) fn bits_of(row: &[f32]) -> Vec<u32> {
    row.iter().map(|component| component.to_bits()).collect()
}

/// Applies `values` to `row`.
pub(crate) fn apply_values(values: &Values<'_>, row: &mut [f32]) {
    let mut scratch = vec![0; values.scratch_size()];
    let old = row.to_vec();
    values.decode(&old, &mut scratch).unwrap().apply(row);
}

/// Rows of `dim` components between which every component that `values` set changes, and no other.
pub(crate) fn rows_between(values: &Values<'_>, dim: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut new, mut ones) = (vec![0.0; dim], vec![f32::from_bits(!0); dim]);
    apply_values(values, &mut new);
    apply_values(values, &mut ones);
    let old = new.iter().zip(ones).map(|(new, one)| {
        let set = new.to_bits() == one.to_bits();
        f32::from_bits(if set { !new.to_bits() } else { 0 })
    });
    (old.collect(), new)
}

/// `header`, sealed over `payload`, and the payload.
pub(crate) fn frame(header: DeltaHeader, payload: &[u8]) -> Vec<u8> {
    let header = header.seal(payload).unwrap();
    [&header.to_bytes()[..], payload].concat()
}

/// Metadata: pairs with ascending keys.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The memory of a replica.
#[derive(Clone)]
pub(crate) struct Memory {
    dim: u32,
    rows: Vec<f32>,
    slots: Vec<Slot>,
    attributes: Vec<u8>,
}

impl Memory {
    pub(crate) fn new(dim: usize, slots: usize, attributes: usize) -> Self {
        Self {
            dim: u32::try_from(dim).unwrap(),
            rows: vec![0.0; dim * slots],
            slots: vec![Slot::default(); slots],
            attributes: vec![0; attributes],
        }
    }

    pub(crate) fn store(&mut self) -> SliceStore<'_> {
        self.store_with_base(&[])
    }

    pub(crate) fn store_with_base(&mut self, base: &[f32]) -> SliceStore<'_> {
        self.rows[..base.len()].copy_from_slice(base);
        let components = u32::try_from(base.len()).unwrap();
        let slot_count = components.checked_div(self.dim).unwrap_or(0);
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut self.attributes,
        };
        SliceStore::with_base(self.dim, slot_count, memory)
    }
}

/// Everything that a replica shows of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotView {
    pub(crate) row: Vec<u32>,
    pub(crate) last_sequence: u64,
    pub(crate) deleted: bool,
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) metadata: Pairs,
}

/// Everything that a replica shows: what a refused record must leave as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) slots: Vec<SlotView>,
    next_row: Option<Vec<u32>>,
    attributes_size: usize,
    pub(crate) digest: u64,
}

pub(crate) fn view(store: &SliceStore<'_>) -> View {
    let slots = (0..store.slot_count()).map(|slot| {
        let mut metadata = Pairs::new();
        store.visit_metadata(slot, &mut |key, value| {
            assert_eq!(store.metadata(slot, key), Some(value));
            metadata.push((key.to_vec(), value.to_vec()));
        });
        SlotView {
            row: bits_of(store.row(slot).unwrap()),
            last_sequence: store.last_sequence(slot).unwrap(),
            deleted: store.is_deleted(slot),
            id: store.id(slot).map(<[u8]>::to_vec),
            metadata,
        }
    });
    View {
        slots: slots.collect(),
        next_row: store.next_row().ok().map(bits_of),
        attributes_size: store.attributes_size(),
        digest: state_digest(store),
    }
}

//! Tensors beside the naive array, over random edits of all kinds.

use super::naive::Naive;
use crate::{
    payload::tensor::{DType, Shape, Slab},
    pipeline::{
        apply::Outcome,
        tensor::{TensorPrepareError, TensorStream},
    },
    record::Record,
    tensor::{Tensor, TensorEdit},
};
use proptest::{collection::vec, prelude::*, sample::select};

const DTYPES: [DType; 7] = [
    DType::F32,
    DType::F16,
    DType::Bf16,
    DType::I8,
    DType::U8,
    DType::U16,
    DType::U32,
];

/// Words of each tensor's memory.
const MEMORY: usize = 96;

/// An edit without its elements.
#[derive(Clone, Debug)]
enum Plan {
    /// Percent of the elements that change, first row, and how many rows or fewer.
    Rows(u8, u32, usize),
    Dense(Vec<u32>),
    Put(Slab),
    Clear(Slab),
    Evict(Slab),
}

fn any_slab() -> impl Strategy<Value = Slab> {
    (0..4_u8, 0..5_u32, 1..4_u32).prop_map(|(axis, start, count)| Slab { axis, start, count })
}

fn any_extents() -> impl Strategy<Value = Vec<u32>> {
    vec(0..5_u32, 0..4)
}

fn any_plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        3 => (0..=100_u8, 0..3_u32, 1..9_usize).prop_map(|(percent, start, rows)| {
            Plan::Rows(percent, start, rows)
        }),
        1 => any_extents().prop_map(Plan::Dense),
        3 => any_slab().prop_map(Plan::Put),
        1 => any_slab().prop_map(Plan::Clear),
        2 => any_slab().prop_map(Plan::Evict),
    ]
}

/// Elements for a plan, from a source of random bytes that never ends.
fn elements_of(plan: &Plan, naive: &Naive, random: &mut impl FnMut() -> u8) -> Vec<u8> {
    let size = |extents: &[u32]| extents.iter().product::<u32>() as usize * naive.width;
    match plan {
        Plan::Rows(percent, start, rows) => {
            let row = naive.extents.iter().skip(1).product::<u32>() as usize;
            let row = if naive.extents.len() < 2 {
                naive.elements.len()
            } else {
                row
            };
            let elements = naive.elements.iter().skip(*start as usize * row);
            elements
                .take(rows * row)
                .flat_map(|element| {
                    let changes = random() % 100 < *percent;
                    element
                        .iter()
                        .map(|byte| if changes { random() } else { *byte })
                        .collect::<Vec<u8>>()
                })
                .collect()
        }
        Plan::Dense(extents) => (0..size(extents)).map(|_| random()).collect(),
        Plan::Put(slab) => {
            let mut extents = naive.extents.clone();
            if let Some(extent) = extents.get_mut(usize::from(slab.axis)) {
                *extent = slab.count;
            }
            (0..size(&extents)).map(|_| random()).collect()
        }
        Plan::Clear(_) | Plan::Evict(_) => vec![],
    }
}

fn edit_of<'e>(plan: &Plan, elements: &'e [u8]) -> TensorEdit<'e> {
    match *plan {
        Plan::Rows(_, start, _) => TensorEdit::Rows { start, elements },
        Plan::Dense(ref extents) => TensorEdit::Dense {
            shape: Shape::new(extents).unwrap(),
            elements,
        },
        Plan::Put(slab) => TensorEdit::Put { slab, elements },
        Plan::Clear(slab) => TensorEdit::Clear { slab },
        Plan::Evict(slab) => TensorEdit::Evict { slab },
    }
}

proptest! {
    /// Every edit that the naive array can do and the memory holds, and no other, reaches the
    /// replica; the digest that the records carry is that of the tensors.
    #[test]
    fn prop_replica_and_writer_equal_a_naive_array(
        dtype in select(&DTYPES[..]),
        extents in any_extents(),
        plans in vec(any_plan(), 1..20),
        seed in any::<u64>(),
    ) {
        let shape = Shape::new(&extents).unwrap();
        let (mut one, mut other) = ([7; MEMORY], [9; MEMORY]);
        let fits = |naive: &Naive| naive.bytes().len() <= 4 * MEMORY;
        let mut naive = Naive::zeros(dtype.width(), &extents);
        prop_assume!(fits(&naive));
        let mut written = [Tensor::new(dtype, shape, &mut one).unwrap()];
        let mut replicated = [Tensor::new(dtype, shape, &mut other).unwrap()];
        let mut writer = TensorStream::new(&mut written);
        let mut replica = TensorStream::new(&mut replicated);
        let mut state = seed;
        let mut random = || {
            state = crate::digest::mix(state);
            state.to_le_bytes()[3]
        };
        for plan in plans {
            // 4-aligned, as elements of 32 bits must be.
            let elements = elements_of(&plan, &naive, &mut random);
            let mut aligned = vec![0_u32; elements.len().div_ceil(4)];
            bytemuck::cast_slice_mut(&mut aligned)[..elements.len()].copy_from_slice(&elements);
            let elements = &bytemuck::cast_slice::<u32, u8>(&aligned)[..elements.len()];
            let edit = edit_of(&plan, elements);
            let expected = naive.edited(&edit).filter(fits);
            let mut out = vec![0; writer.payload_size_max(0, &edit)];
            match writer.prepare(0, edit, &mut out) {
                Ok((prepared, size)) => {
                    let header = prepared.header;
                    writer.commit(prepared);
                    naive = expected.unwrap();
                    let record = Record::with_header(header, &out[..size]).unwrap();
                    prop_assert_eq!(replica.apply_delta(&record), Ok(Outcome::Applied));
                    prop_assert_eq!(replica.apply_delta(&record), Ok(Outcome::Duplicate));
                }
                Err(TensorPrepareError::Unchanged) => {
                    prop_assert_eq!(&expected.unwrap(), &naive);
                }
                Err(_) => prop_assert_eq!(&expected, &None),
            }
            for stream in [&writer, &replica] {
                let tensor = &stream.tensors()[0];
                prop_assert_eq!(tensor.as_bytes(), naive.bytes());
                prop_assert_eq!(tensor.shape().extents(), &naive.extents[..]);
                prop_assert_eq!(stream.current_position().digest, tensor.digest(0));
                let behind = &bytemuck::cast_slice::<u32, u8>(tensor.memory)[naive.bytes().len()..];
                prop_assert!(behind.iter().all(|byte| *byte == 0));
            }
            prop_assert_eq!(writer.current_position(), replica.current_position());
        }
    }
}

//! Tensors beside a naive array of any rank, over random edits of all kinds.

use super::{Tensor, TensorEdit, TensorRefusal};
use crate::{
    payload::tensor::{DType, Shape, Slab},
    pipeline::{
        apply::{ApplyError, Outcome, Refusal},
        tensor::{TensorPrepareError, TensorStream},
    },
    record::Record,
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

/// Elements by coordinates, and nothing clever.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Naive {
    width: usize,
    extents: Vec<u32>,
    elements: Vec<Vec<u8>>,
}

impl Naive {
    fn zeros(width: usize, extents: &[u32]) -> Self {
        let count = extents.iter().product::<u32>();
        Self {
            width,
            extents: extents.to_vec(),
            elements: vec![vec![0; width]; count as usize],
        }
    }

    fn from_bytes(width: usize, extents: &[u32], bytes: &[u8]) -> Self {
        let elements = bytes.chunks(width).map(<[u8]>::to_vec).collect();
        Self {
            elements,
            ..Self::zeros(width, extents)
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.elements.concat()
    }

    /// The coordinates of every place, in C order.
    fn places(&self) -> Vec<Vec<u32>> {
        let mut places = vec![vec![]];
        for &extent in &self.extents {
            places = places
                .iter()
                .flat_map(|place: &Vec<u32>| {
                    (0..extent).map(|at| [place.as_slice(), &[at]].concat())
                })
                .collect();
        }
        places
    }

    fn get(&self, place: &[u32]) -> Option<&Vec<u8>> {
        let mut index = 0;
        for (at, extent) in place.iter().zip(&self.extents) {
            if at >= extent {
                return None;
            }
            index = index * extent + at;
        }
        self.elements.get(index as usize)
    }

    /// The array whose element at each place is what `of` says of the place.
    fn built(&self, extents: &[u32], of: impl Fn(&[u32]) -> Vec<u8>) -> Self {
        let mut built = Self::zeros(self.width, extents);
        built.elements = built.places().iter().map(|place| of(place)).collect();
        built
    }

    /// The array after an edit, `None` if it cannot be.
    fn edited(&self, edit: &TensorEdit<'_>) -> Option<Self> {
        let shifted = |place: &[u32], axis: usize, by: i64| {
            let mut place = place.to_vec();
            place[axis] = u32::try_from(i64::from(place[axis]) + by).unwrap();
            place
        };
        match *edit {
            TensorEdit::Rows { start, elements } => {
                let row = self.extents.iter().skip(1).product::<u32>() as usize;
                let row = if self.extents.len() < 2 {
                    self.elements.len()
                } else {
                    row
                };
                let first = start as usize * row * self.width;
                let is_whole = row > 0 && elements.len().is_multiple_of(row * self.width);
                let mut bytes = self.bytes();
                let rows = if self.extents.len() < 2 {
                    1
                } else {
                    self.extents[0]
                };
                if !is_whole || start >= rows || first + elements.len() > bytes.len() {
                    return None;
                }
                bytes[first..first + elements.len()].copy_from_slice(elements);
                Some(Self::from_bytes(self.width, &self.extents, &bytes))
            }
            TensorEdit::Dense { shape, elements } => (elements.len()
                == shape.elements() as usize * self.width)
                .then(|| Self::from_bytes(self.width, shape.extents(), elements)),
            TensorEdit::Put { slab, elements } => {
                let (axis, extent) = self.axis(&slab)?;
                let end = slab.start.checked_add(slab.count)?;
                let mut of_slab = self.extents.clone();
                of_slab[axis] = slab.count;
                let size = of_slab.iter().product::<u32>() as usize * self.width;
                if slab.start > extent || elements.len() != size {
                    return None;
                }
                let slab_array = Self::from_bytes(self.width, &of_slab, elements);
                let mut extents = self.extents.clone();
                extents[axis] = extent.max(end);
                Some(self.built(&extents, |place| {
                    let inside = (slab.start..end).contains(&place[axis]);
                    let found = if inside {
                        slab_array.get(&shifted(place, axis, -i64::from(slab.start)))
                    } else {
                        self.get(place)
                    };
                    found.unwrap().clone()
                }))
            }
            TensorEdit::Clear { slab } => {
                let (axis, end) = self.within(&slab)?;
                Some(self.built(&self.extents, |place| {
                    if (slab.start..end).contains(&place[axis]) {
                        vec![0; self.width]
                    } else {
                        self.get(place).unwrap().clone()
                    }
                }))
            }
            TensorEdit::Evict { slab } => {
                let (axis, _) = self.within(&slab)?;
                let mut extents = self.extents.clone();
                extents[axis] -= slab.count;
                Some(self.built(&extents, |place| {
                    let by = if place[axis] < slab.start {
                        0
                    } else {
                        i64::from(slab.count)
                    };
                    self.get(&shifted(place, axis, by)).unwrap().clone()
                }))
            }
        }
    }

    fn axis(&self, slab: &Slab) -> Option<(usize, u32)> {
        let axis = usize::from(slab.axis);
        Some((axis, *self.extents.get(axis)?))
    }

    fn within(&self, slab: &Slab) -> Option<(usize, u32)> {
        let (axis, extent) = self.axis(slab)?;
        let end = slab.start.checked_add(slab.count)?;
        (end <= extent).then_some((axis, end))
    }
}

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

/// A writer and a replica of one u16 tensor of 3 x 2 elements 1 to 6.
fn with_pair(test: impl FnOnce(&mut TensorStream<'_, '_>, &mut TensorStream<'_, '_>)) {
    let shape = Shape::new(&[3, 2]).unwrap();
    let (mut one, mut other) = ([0; 4], [0; 4]);
    let mut written = [Tensor::new(DType::U16, shape, &mut one).unwrap()];
    let mut replicated = [Tensor::new(DType::U16, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut written);
    let mut replica = TensorStream::new(&mut replicated);
    let elements = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];
    pass_on(
        &mut writer,
        &mut replica,
        TensorEdit::Rows {
            start: 0,
            elements: &elements,
        },
    )
    .unwrap();
    test(&mut writer, &mut replica);
}

/// Sends an edit; returns its payload.
fn pass_on(
    writer: &mut TensorStream<'_, '_>,
    replica: &mut TensorStream<'_, '_>,
    edit: TensorEdit<'_>,
) -> Result<Vec<u8>, TensorPrepareError> {
    let mut out = vec![0; writer.payload_size_max(0, &edit)];
    let (prepared, size) = writer.prepare(0, edit, &mut out)?;
    out.truncate(size);
    let header = prepared.header;
    writer.commit(prepared);
    let record = Record::with_header(header, &out).unwrap();
    assert_eq!(replica.apply_delta(&record), Ok(Outcome::Applied));
    Ok(out)
}

#[test]
fn a_few_changed_elements_are_a_few_bytes() {
    with_pair(|writer, replica| {
        let edit = TensorEdit::Rows {
            start: 0,
            elements: &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 9, 0],
        };
        let payload = pass_on(writer, replica, edit).unwrap();
        let expected = [
            0, 0, 0, 0, 5, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0,
            0, // slot, u16 rows of 2, one of them
            2, 3, 2, // after a gap of 2, 3 bytes, sparse
            1, 9, 0, // after a gap of 1: 9
        ];
        assert_eq!(payload, expected);
        assert_eq!(replica.tensors()[0].as_bytes()[10], 9);

        // A row that changes as a whole has no need of an entry.
        let edit = TensorEdit::Rows {
            start: 1,
            elements: &[7, 0, 8, 0],
        };
        let payload = pass_on(writer, replica, edit).unwrap();
        let expected = [0, 0, 0, 0, 5, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 8, 0];
        assert_eq!(payload, expected);
    });
}

#[test]
fn rows_of_floats_that_change_by_a_little_are_differences() {
    let shape = Shape::new(&[2, 64]).unwrap();
    let (mut one, mut other) = ([0; 128], [0; 128]);
    let mut written = [Tensor::new(DType::F32, shape, &mut one).unwrap()];
    let mut replicated = [Tensor::new(DType::F32, shape, &mut other).unwrap()];
    let mut writer = TensorStream::new(&mut written);
    let mut replica = TensorStream::new(&mut replicated);
    let mut row: [f32; 64] =
        core::array::from_fn(|i| f32::from(u8::try_from(i).unwrap()) / 61.0 - 0.4);
    for step in 0..20_u8 {
        for (lane, element) in (step..).zip(&mut row) {
            *element += f32::from(lane % 7) * 1e-6;
        }
        let elements = bytemuck::cast_slice(&row);
        let edit = TensorEdit::Rows { start: 1, elements };
        let payload = pass_on(&mut writer, &mut replica, edit).unwrap();
        assert!(step == 0 || payload.len() < 160, "{}", payload.len());
        let found = replica.tensors()[0].as_bytes();
        assert_eq!(&found[256..], elements);
    }
}

#[test]
fn appending_evicting_and_clearing_are_slabs() {
    with_pair(|writer, replica| {
        let slab = |start, count| Slab {
            axis: 0,
            start,
            count,
        };
        let append = TensorEdit::Put {
            slab: slab(3, 1),
            elements: &[7, 0, 8, 0],
        };
        let payload = pass_on(writer, replica, append).unwrap();
        let expected = [0, 0, 0, 0, 5, 2, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 8, 0];
        assert_eq!(payload, expected);
        let evict = TensorEdit::Evict { slab: slab(0, 2) };
        let payload = pass_on(writer, replica, evict).unwrap();
        assert_eq!(payload, [0, 0, 0, 0, 5, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(replica.tensors()[0].as_bytes(), [5, 0, 6, 0, 7, 0, 8, 0]);
        pass_on(writer, replica, TensorEdit::Clear { slab: slab(1, 1) }).unwrap();
        assert_eq!(replica.tensors()[0].as_bytes(), [5, 0, 6, 0, 0, 0, 0, 0]);
    });
}

#[test]
fn what_a_tensor_cannot_take_is_refused_with_numbers() {
    with_pair(|writer, replica| {
        let slab = Slab {
            axis: 1,
            start: 3,
            count: 1,
        };
        let mut out = [0; 64];
        let mut refusal = |edit| match writer.prepare(0, edit, &mut out).unwrap_err() {
            TensorPrepareError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        };
        let clear = TensorEdit::Clear { slab };
        assert_eq!(refusal(clear), TensorRefusal::Range { slab, extent: 2 });
        let axis = Slab { axis: 2, ..slab };
        let evict = TensorEdit::Evict { slab: axis };
        let no_axis = TensorRefusal::Range {
            slab: axis,
            extent: 0,
        };
        assert_eq!(refusal(evict), no_axis);
        let append = Slab { start: 2, ..slab };
        let short = TensorEdit::Put {
            slab: append,
            elements: &[0; 4],
        };
        let size = TensorRefusal::Size {
            expected: 6,
            found: 4,
        };
        assert_eq!(refusal(short), size);
        let two = Slab { count: 2, ..append };
        let full = TensorEdit::Put {
            slab: two,
            elements: &[0; 12],
        };
        let no_room = TensorRefusal::Full {
            needed: 24,
            capacity: 16,
        };
        assert_eq!(refusal(full), no_room);
        let _ = replica;
    });
}

#[test]
fn a_replica_of_another_past_refuses_and_stays() {
    with_pair(|writer, replica| {
        let mut out = [0; 64];
        let slab = Slab {
            axis: 0,
            start: 0,
            count: 1,
        };
        let (prepared, size) = writer
            .prepare(0, TensorEdit::Evict { slab }, &mut out)
            .unwrap();
        let header = prepared.header;
        let refused = |replica: &mut TensorStream<'_, '_>, header| {
            let before = replica.tensors()[0].as_bytes().to_vec();
            let record = Record::with_header(header, &out[..size]).unwrap();
            let ApplyError { reason, .. } = replica.apply_delta(&record).unwrap_err();
            assert_eq!(replica.tensors()[0].as_bytes(), before);
            assert_eq!(replica.current_position().sequence, 1);
            reason
        };
        let sealed = |change: &dyn Fn(&mut crate::header::DeltaHeader)| {
            let mut changed = header;
            change(&mut changed);
            changed.seal(&out[..size]).unwrap()
        };
        let drifted = sealed(&|header| header.state_digest = Some(5));
        assert!(matches!(
            refused(replica, drifted),
            Refusal::Diverged { expected: 5, .. }
        ));
        let conflict = sealed(&|header| header.prev_sequence = 0);
        let expected = Refusal::Conflict {
            slot: 0,
            last_sequence: 1,
            prev_sequence: 0,
        };
        assert_eq!(refused(replica, conflict), expected);
        let gap = sealed(&|header| header.sequence = 3);
        assert_eq!(refused(replica, gap), Refusal::Gap { expected: 2 });
    });
}

#[test]
fn tensors_and_rows_do_not_mix() {
    with_pair(|_, replica| {
        let delete = crate::header::DeltaHeader::new(crate::header::Operation::Delete, 2, 1);
        let payload = [0; 4];
        let record = Record::with_header(delete.seal(&payload).unwrap(), &payload).unwrap();
        let reason = replica.apply_delta(&record).unwrap_err().reason;
        assert_eq!(reason, Refusal::RowRecord);
    });
}

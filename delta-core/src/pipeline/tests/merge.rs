//! Merging: the same result in whatever order the writers' versions arrive.

use crate::{
    pipeline::{
        apply::Applier,
        merge::{Choice, LastWriterWins, Merge, MergeMemory, Merged, Resolve, Stamp},
        sequencer::{Position, PrepareError, Sequencer, SlotState},
    },
    record::Record,
    testing::{Memory, any_row, bits_of},
};
use proptest::{collection::vec, prelude::*};

const DIM: usize = 3;

/// Component by component the greater bits: commutative and associative.
struct Greater;

impl Resolve for Greater {
    fn resolve(
        &mut self,
        (_, current): (&Stamp, &[f32]),
        (_, incoming): (&Stamp, &[f32]),
        out: &mut [f32],
    ) -> Choice {
        for ((out, current), incoming) in out.iter_mut().zip(current).zip(incoming) {
            *out = f32::from_bits(current.to_bits().max(incoming.to_bits()));
        }
        Choice::Written
    }
}

/// The merged row, after a replica has followed every record.
fn merged<P: Resolve>(versions: &[(Stamp, Vec<f32>)], resolve: P) -> Vec<u32> {
    let (mut states, mut stamps) = ([SlotState::default(); 1], [Stamp::default(); 1]);
    let (mut rows, mut written) = ([0.0; DIM], [0.0; DIM]);
    let memory = MergeMemory {
        rows: &mut rows,
        stamps: &mut stamps,
        written: &mut written,
    };
    let sequencer = Sequencer::new(3, &mut states, 1, Position::START);
    let mut merge = Merge::new(sequencer, memory, resolve);
    let mut replica_memory = Memory::new(DIM, 1, 0);
    let mut replica = replica_memory.store_with_base(&[0.0; DIM]);
    let mut scratch = [0; 1_000];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for (stamp, row) in versions {
        let mut out = [0; 100];
        if let Merged::Changed(header) = merge.update(0, *stamp, row, &mut out).unwrap() {
            let payload = &out[..header.payload_size as usize];
            let record = Record::with_header(header, payload).unwrap();
            applier.apply_delta(&record, &mut replica).unwrap();
        }
        assert_eq!(bits_of(replica.rows()), bits_of(merge.row(0).unwrap()));
    }
    assert_eq!(applier.current_position(), merge.sequencer().position());
    bits_of(replica.rows())
}

fn any_version() -> impl Strategy<Value = (Stamp, Vec<f32>)> {
    (0..3_u64, 1..3_u32, 0..3_u32, any_row(DIM)).prop_map(|(time, epoch, producer, row)| {
        let stamp = Stamp {
            timestamp_us: time,
            epoch,
            producer,
            sequence: 0,
        };
        (stamp, row)
    })
}

proptest! {
    #[test]
    fn prop_the_order_of_arrival_does_not_matter(versions in vec(any_version(), 1..12)) {
        // A writer has a sequence for each version.
        let versions: Vec<_> = (1..).zip(versions)
            .map(|(sequence, (stamp, row))| (Stamp { sequence, ..stamp }, row))
            .collect();
        let mut reversed = versions.clone();
        reversed.reverse();
        let last = versions.iter().max_by_key(|(stamp, _)| *stamp).unwrap();
        let expected = bits_of(&last.1);
        prop_assert_eq!(&merged(&versions, LastWriterWins), &expected);
        prop_assert_eq!(&merged(&reversed, LastWriterWins), &expected);
        prop_assert_eq!(merged(&versions, Greater), merged(&reversed, Greater));
    }
}

#[test]
fn what_is_no_row_of_the_stream_is_refused() {
    let (mut states, mut stamps) = ([SlotState::default(); 1], [Stamp::default(); 1]);
    let (mut rows, mut written, mut out) = ([0.0; DIM], [0.0; DIM], [0; 100]);
    let memory = MergeMemory {
        rows: &mut rows,
        stamps: &mut stamps,
        written: &mut written,
    };
    let sequencer = Sequencer::new(3, &mut states, 1, Position::START);
    let mut merge = Merge::new(sequencer, memory, LastWriterWins);
    let stamp = Stamp {
        epoch: 1,
        ..Stamp::default()
    };
    let unknown = merge.update(1, stamp, &[0.0; DIM], &mut out);
    assert!(matches!(
        unknown,
        Err(PrepareError::UnknownSlot { slot: 1, .. })
    ));
    let dim = merge.update(0, stamp, &[0.0; 2], &mut out);
    assert!(matches!(
        dim,
        Err(PrepareError::Dim {
            expected: 3,
            found: 2
        })
    ));
    assert_eq!(merge.sequencer().position(), Position::START);
}

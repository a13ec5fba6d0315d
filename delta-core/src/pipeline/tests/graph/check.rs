//! A check says what the capture would say, and changes nothing.

use super::*;
use crate::{
    payload::{
        metadata::{MetadataEdit, MetadataError},
        vector::VectorWriteError,
    },
    ring::ReserveError,
};

#[test]
fn checks_refuse_what_captures_refuse() {
    primary!(primary, _consumer, StaticRing::<8, 4096>::new());
    let rows = clustered(3, DIM, 1, &mut Random(3));
    for row in &rows {
        primary.insert(row).unwrap();
    }
    primary.delete(1).unwrap();
    let before = primary.capture.position();
    let capture = &mut primary.capture;
    let mut out = [0; 2048];
    let (row, short) = (&rows[0][..], &rows[0][1..]);
    let refused = |error| Err(CaptureError::Prepare(error));
    let id_size = |size| refused(PrepareError::Payload(VectorWriteError::IdSize { size }));
    assert_eq!(
        capture.check_insert_with_graph(b"a", row, &[], &mut out),
        Ok(3)
    );
    for id in [&[][..], &[0; 256]] {
        let checked = capture.check_insert_with_graph(id, row, &[], &mut out);
        assert_eq!(checked.map(drop), id_size(id.len()));
    }
    let dim = || {
        refused(PrepareError::Dim {
            expected: ROW_DIM,
            found: DIM - 1,
        })
    };
    let checked = capture.check_insert_with_graph(b"a", short, &[], &mut out);
    assert_eq!(checked.map(drop), dim());
    for rows in [[row, short], [short, row]] {
        assert_eq!(
            capture.check_update_with_graph(0, rows, &[], &mut out),
            dim()
        );
    }
    let value = [0; 2048];
    let pair = |old, new| {
        [MetadataEdit {
            key: b"k",
            old,
            new,
        }]
    };
    let claimed = MetadataError::OldValue { pair: 0 };
    let old = pair(Some(&value[..1]), None);
    let checked = capture.check_insert_with_graph(b"a", row, &old, &mut out);
    let claimed = PrepareError::Payload(VectorWriteError::Metadata(claimed));
    assert_eq!(checked.map(drop), refused(claimed));
    let large = pair(None, Some(&value[..]));
    let checked = capture.check_update_with_graph(0, [row, row], &large, &mut out);
    let max = capture.payload_size_max();
    let Err(CaptureError::Ring(ReserveError::TooLarge { max: said, .. })) = checked else {
        panic!("{checked:?}");
    };
    assert_eq!(said as usize, max);
    for (slot, error) in [
        (1, PrepareError::Deleted { slot: 1 }),
        (
            3,
            PrepareError::UnknownSlot {
                slot: 3,
                slot_count: 3,
            },
        ),
    ] {
        let checked = capture.check_update_with_graph(slot, [row, row], &[], &mut out);
        assert_eq!(checked, refused(error));
        assert_eq!(capture.check_live_with_graph(slot), refused(error));
    }
    assert_eq!(capture.check_live_with_graph(0), Ok(()));
    assert_eq!(capture.position(), before);
}

#[test]
fn a_check_finds_that_no_graph_is_declared() {
    let mut ring = StaticRing::<4, 4096>::new();
    let (producer, _consumer) = ring.split();
    let mut slots = [SlotState::default(); 4];
    let sequencer = Sequencer::new(1, &mut slots, 0, Position::START);
    let mut capture = Capture::new(producer, sequencer);
    capture.insert(b"a", &[1.0], &[]).unwrap();
    let refused = Err(CaptureError::Prepare(PrepareError::NoGraph));
    let mut out = [0; 64];
    let checked = capture.check_insert_with_graph(b"b", &[1.0], &[], &mut out);
    assert_eq!(checked.map(drop), refused);
    assert_eq!(capture.check_live_with_graph(0), refused);
}

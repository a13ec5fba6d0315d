use super::header;
use crate::{
    graph::GraphParameters,
    header::{DeltaHeader, Operation},
    kernel::distance::Metric,
    payload::{PayloadError, control::Control},
};
use proptest::{collection::vec, option, prelude::*};

/// A header that announces a digest, with sequence 100.
fn control_header() -> DeltaHeader {
    DeltaHeader {
        state_digest: Some(0),
        ..header(Operation::Control)
    }
}

const START: [u8; 17] = [0, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, b'x'];
const END: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1];
const RESYNC: [u8; 16] = [2, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0];
const WATERMARK: [u8; 16] = [3, 0, 0, 0, 5, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0];

const RANGE: [u8; 40] = [
    4, 0, 0, 0, 1, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, 0xef, 0xbe, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,
    0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
];

#[test]
fn refuses_ranges_that_cannot_be() {
    let field = Err(PayloadError::HeaderField { offset: 0 });
    // It ends at sequence 100, after a beginning of an epoch that is not 0.
    assert_eq!(parse_with(&RANGE, 8, 100), field);
    assert_eq!(parse_with(&RANGE, 8, 99), Ok(()));
    assert_eq!(parse_with(&RANGE, 4, 0), field);
    assert_eq!(parse_with(&RANGE, 4, 200), field);
    assert_eq!(
        parse_with(&RANGE, 29, 1),
        Err(PayloadError::Reserved { offset: 29 })
    );
    for size in [16, 39] {
        let error = PayloadError::Size {
            expected: 40,
            found: u64::try_from(size).unwrap(),
        };
        assert_eq!(
            Control::parse(&control_header(), &RANGE[..size]),
            Err(error)
        );
    }
}

#[test]
fn literal_bytes() {
    let start = Control::Start {
        dim: 4,
        slot_count: 7,
        graph: None,
        consumer_bytes: b"x",
    };
    let end = Control::End {
        record_count: 0x0100_0000_0000_0009,
    };
    let resync = Control::Resync { position: 99 };
    let watermark = Control::Watermark {
        source_epoch: 5,
        source_sequence: 77,
    };
    let range = Control::Range {
        from_epoch: 1,
        from_sequence: 90,
        from_digest: 0xbeef,
        record_count: 3,
        size: 512,
    };
    for (control, bytes, name) in [
        (start, &START[..], "start"),
        (end, &END, "end"),
        (resync, &RESYNC, "resync"),
        (watermark, &WATERMARK, "watermark"),
        (range, &RANGE, "range"),
    ] {
        assert_eq!(Control::parse(&control_header(), bytes), Ok(control));
        let mut out = [0xaa; 64];
        assert_eq!(control.write(&mut out), Some(bytes.len()));
        assert_eq!(&out[..bytes.len()], bytes);
        assert_eq!((control.size(), control.name()), (bytes.len(), name));
        assert_eq!(control.write(&mut out[..bytes.len() - 1]), None);
    }
}

/// Parses `bytes` with another byte at `offset`.
fn parse_with(bytes: &[u8], offset: usize, byte: u8) -> Result<(), PayloadError> {
    let mut bytes = bytes.to_vec();
    bytes[offset] = byte;
    Control::parse(&control_header(), &bytes).map(|_| ())
}

#[test]
fn refuses_unknown_kinds_of_any_size() {
    for found in 6..=u8::MAX {
        let unknown = Err(PayloadError::UnknownControl { found });
        assert_eq!(parse_with(&END, 0, found), unknown);
        assert_eq!(parse_with(&START, 0, found), unknown);
    }
}

#[test]
fn refuses_reserved_bytes() {
    for bytes in [&START[..], &END, &RESYNC, &WATERMARK] {
        for offset in 1..4 {
            assert_eq!(
                parse_with(bytes, usize::try_from(offset).unwrap(), 1),
                Err(PayloadError::Reserved { offset })
            );
        }
    }
    for (bytes, offset) in [(&END[..], 4), (&RESYNC, 7)] {
        assert_eq!(
            parse_with(bytes, usize::try_from(offset).unwrap(), 1),
            Err(PayloadError::Reserved { offset })
        );
    }
}

#[test]
fn refuses_other_sizes() {
    let size = |expected, found| Err(PayloadError::Size { expected, found });
    for bytes in [&START[..], &END, &RESYNC, &WATERMARK] {
        let cut = Control::parse(&control_header(), &bytes[..15]);
        assert_eq!(cut, size(16, 15));
        let long = Control::parse(&control_header(), &[bytes, &[0]].concat()).map(|_| ());
        if bytes[0] == 0 {
            assert_eq!(long, Ok(()));
        } else {
            assert_eq!(long, size(16, 17).map(|_: Control<'_>| ()));
        }
    }
}

#[test]
fn refuses_rows_of_no_components() {
    assert_eq!(parse_with(&START, 4, 0), Err(PayloadError::ZeroDim));
}

#[test]
fn a_start_declares_a_graph() {
    let declared = |bytes: [u8; 4]| {
        let mut start = START;
        start[12..16].copy_from_slice(&bytes);
        match Control::parse(&control_header(), &start) {
            Ok(Control::Start { graph, .. }) => Ok(graph),
            Ok(other) => panic!("{other:?} is no start"),
            Err(error) => Err(error),
        }
    };
    assert_eq!(declared([0; 4]), Ok(None));
    for (wire, metric) in [
        (1, Metric::SquaredL2),
        (2, Metric::Dot),
        (3, Metric::Cosine),
    ] {
        let graph = GraphParameters {
            degree0_max: 32,
            degree_max: 16,
            metric,
        };
        assert_eq!(declared([32, 16, wire, 0]), Ok(Some(graph)));
    }
    for (bytes, offset) in [
        ([0, 16, 1, 0], 12),
        ([32, 0, 1, 0], 13),
        ([32, 16, 0, 0], 14),
        ([32, 16, 4, 0], 14),
        ([32, 16, 1, 1], 15),
        ([0, 0, 0, 1], 15),
    ] {
        assert_eq!(
            declared(bytes),
            Err(PayloadError::GraphParameters { offset })
        );
    }
}

#[test]
fn refuses_headers_that_name_an_entity_or_no_digest() {
    let refusal = |header: DeltaHeader, bytes| Control::parse(&header, bytes).map(|_| ());
    let field = |offset| Err(PayloadError::HeaderField { offset });
    for bytes in [&START[..], &END, &RESYNC, &WATERMARK] {
        let mut header = control_header();
        header.vector_id_hash = 1;
        assert_eq!(refusal(header, bytes), field(12));
        let mut header = control_header();
        header.prev_sequence = 1;
        assert_eq!(refusal(header, bytes), field(40));
        let mut header = control_header();
        header.state_digest = None;
        let without = if bytes[0] == 3 { Ok(()) } else { field(9) };
        assert_eq!(refusal(header, bytes), without);
    }
}

#[test]
fn a_resync_stands_behind_its_position() {
    assert_eq!(
        parse_with(&RESYNC, 8, 98),
        Err(PayloadError::HeaderField { offset: 0 })
    );
    // A header that was never checked has no position before it.
    let mut header = control_header();
    header.sequence = 0;
    assert_eq!(
        Control::parse(&header, &RESYNC),
        Err(PayloadError::HeaderField { offset: 0 })
    );
}

proptest! {
    #[test]
    fn prop_parse_inverts_emit(
        kind in 0..4,
        word in 1..=u32::MAX,
        slot_count in any::<u32>(),
        graph in option::of((1..=u8::MAX, 1..=u8::MAX, 0_usize..3)),
        long in 1..=u64::MAX,
        consumer_bytes in vec(any::<u8>(), 0..20),
    ) {
        let mut header = control_header();
        let consumer_bytes = &consumer_bytes[..];
        let graph = graph.map(|(degree0_max, degree_max, metric)| GraphParameters {
            degree0_max,
            degree_max,
            metric: [Metric::SquaredL2, Metric::Dot, Metric::Cosine][metric],
        });
        let control = match kind {
            0 => Control::Start { dim: word, slot_count, graph, consumer_bytes },
            1 => Control::End { record_count: long },
            2 => {
                header.sequence = long;
                Control::Resync { position: long - 1 }
            }
            _ => Control::Watermark { source_epoch: word, source_sequence: long },
        };
        let mut out = vec![0xaa; control.size()];
        prop_assert_eq!(control.write(&mut out), Some(out.len()));
        prop_assert_eq!(Control::parse(&header, &out), Ok(control));
    }

    #[test]
    fn prop_emit_inverts_parse(
        kind in 0..6_u8,
        rest in vec(prop_oneof![4 => Just(0), 1 => any::<u8>()], 0..20),
    ) {
        let bytes = [&[kind][..], &rest].concat();
        let mut header = control_header();
        header.sequence = 1;
        if let Ok(control) = Control::parse(&header, &bytes) {
            let mut out = vec![0xaa; bytes.len()];
            prop_assert_eq!(control.write(&mut out), Some(bytes.len()));
            prop_assert_eq!(out, bytes);
        }
    }
}

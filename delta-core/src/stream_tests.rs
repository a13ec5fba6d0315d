use super::{StreamError, StreamReader};
use crate::{
    codec::Base,
    header::{DeltaHeader, HEADER_SIZE, HeaderError, Operation, vector_id_hash},
    payload::{batch::BatchWriter, control::Control, vector::VectorChange},
    record::{Record, RecordError},
    testing::frame,
};
use proptest::prelude::*;

fn control(sequence: u64, epoch: u32, control: Control<'_>) -> Vec<u8> {
    let mut payload = vec![0; control.size()];
    control.write(&mut payload).unwrap();
    let header = DeltaHeader {
        state_digest: Some(0),
        ..DeltaHeader::new(Operation::Control, sequence, epoch)
    };
    frame(header, &payload)
}

#[test]
fn a_control_record_keeps_the_digest() {
    let header = DeltaHeader {
        state_digest: Some(7),
        ..DeltaHeader::new(Operation::Delete, 2, 1)
    };
    let stream = [start(1, 1), frame(header, &[0; 4]), end(3, 1, 1)].concat();
    let error = StreamReader::new(&stream).find_map(Result::err);
    let (record, expected, found) = (2, 7, 0);
    assert_eq!(
        error,
        Some(StreamError::Digest {
            record,
            expected,
            found
        })
    );
}

fn start(sequence: u64, epoch: u32) -> Vec<u8> {
    let (dim, slot_count, consumer_bytes) = (2, 0, &b"own"[..]);
    let start = Control::Start {
        dim,
        slot_count,
        graph: None,
        consumer_bytes,
    };
    control(sequence, epoch, start)
}

fn end(sequence: u64, epoch: u32, record_count: u64) -> Vec<u8> {
    control(sequence, epoch, Control::End { record_count })
}

fn resync(sequence: u64, epoch: u32) -> Vec<u8> {
    let position = sequence - 1;
    control(sequence, epoch, Control::Resync { position })
}

fn delete(sequence: u64, epoch: u32) -> Vec<u8> {
    let header = DeltaHeader::new(Operation::Delete, sequence, epoch);
    frame(header, &[0; 4])
}

fn insert(sequence: u64, epoch: u32, row: &[f32]) -> Vec<u8> {
    let change = VectorChange {
        slot: 0,
        base: Base::Zero,
        new: row,
        id: b"a",
        graph: None,
        metadata: &[],
    };
    let mut payload = vec![0; change.payload_size_max()];
    let size = change.write(&mut payload, None).unwrap().size;
    let header = DeltaHeader {
        vector_id_hash: vector_id_hash(b"a"),
        ..DeltaHeader::new(Operation::Insert, sequence, epoch)
    };
    frame(header, &payload[..size])
}

fn batch(sequence: u64, epoch: u32, row: &[f32]) -> Vec<u8> {
    let mut payload = vec![0; 100];
    let mut writer = BatchWriter::new(sequence, u32::try_from(row.len()).unwrap());
    writer.push(&mut payload, 0, 0, row, row).unwrap();
    let payload = writer.finish(&mut payload, None).unwrap().payload;
    frame(
        DeltaHeader::new(Operation::BatchUpdate, sequence, epoch),
        payload,
    )
}

/// A good stream of seven frames from sequence 5 in epoch 3.
fn good() -> Vec<Vec<u8>> {
    vec![
        start(5, 3),
        insert(6, 3, &[1.0, 2.0]),
        batch(7, 3, &[1.0, 2.0]),
        delete(8, 3),
        resync(9, 7),
        delete(10, 7),
        end(11, 7, 5),
    ]
}

/// Records read before the error, and the error.
fn refusal(frames: &[Vec<u8>]) -> (usize, StreamError) {
    refusal_of(&frames.concat())
}

fn refusal_of(bytes: &[u8]) -> (usize, StreamError) {
    let mut reader = StreamReader::new(bytes);
    let good = reader.by_ref().take_while(Result::is_ok).count();
    let error = StreamReader::new(bytes).nth(good).unwrap().unwrap_err();
    assert!(reader.next().is_none(), "nothing follows an error");
    (good, error)
}

fn is_refused(bytes: &[u8]) -> bool {
    StreamReader::new(bytes).any(|record| record.is_err())
}

#[test]
fn reads_a_whole_stream() {
    let (frames, bytes) = (good(), good().concat());
    let mut reader = StreamReader::new(&bytes);
    let mut offset = 0;
    for frame in &frames {
        assert_eq!(reader.offset(), offset);
        let record = reader.next().unwrap().unwrap();
        assert_eq!(record, Record::parse(frame).unwrap());
        offset += frame.len();
    }
    assert_eq!(reader.offset(), bytes.len());
    assert!(reader.next().is_none() && reader.next().is_none());
}

#[test]
fn refuses_a_broken_record_and_stays_at_it() {
    let mut frames = good();
    frames[2][HEADER_SIZE] ^= 1;
    let offset = frames[0].len() + frames[1].len();
    let bytes = frames.concat();
    let mut reader = StreamReader::new(&bytes);
    assert_eq!(reader.by_ref().filter(Result::is_ok).count(), 2);
    assert_eq!(reader.offset(), offset);
    let (records, error) = refusal_of(&bytes);
    assert_eq!(records, 2);
    let StreamError::Record {
        record: 2,
        offset: found,
        error: RecordError::Header(HeaderError::Checksum { .. }),
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(found, offset);
}

#[test]
fn refuses_streams_without_a_start() {
    assert_eq!(refusal(&[]), (0, StreamError::NoStart));
    assert_eq!(refusal(&good()[1..]), (0, StreamError::NoStart));
    let end_alone = [end(1, 1, 0)];
    assert_eq!(refusal(&end_alone), (0, StreamError::NoStart));
}

#[test]
fn refuses_a_second_start() {
    let mut frames = good();
    frames[3] = start(8, 3);
    let error = StreamError::SecondStart { record: 3 };
    assert_eq!(refusal(&frames), (3, error));
}

#[test]
fn refuses_a_missing_end() {
    for records in 1..7 {
        let error = StreamError::NoEnd {
            records: records as u64,
        };
        assert_eq!(refusal(&good()[..records]), (records, error));
    }
}

#[test]
fn refuses_bytes_behind_the_end() {
    let trailing = |count| (7, StreamError::TrailingBytes { count });
    let bytes = good().concat();
    assert_eq!(refusal_of(&[&bytes[..], &[0]].concat()), trailing(1));
    let twice = [&bytes[..], &bytes].concat();
    assert_eq!(refusal_of(&twice), trailing(bytes.len()));
}

#[test]
fn refuses_other_sequences() {
    for found in [1, 7, 9, u64::MAX] {
        let mut frames = good();
        frames[3] = delete(found, 3);
        let error = StreamError::Sequence {
            record: 3,
            expected: 8,
            found,
        };
        assert_eq!(refusal(&frames), (3, error));
    }
    // There is no sequence behind the last one.
    let frames = [start(u64::MAX, 1), delete(1, 1)];
    let error = StreamError::Sequence {
        record: 1,
        expected: 0,
        found: 1,
    };
    assert_eq!(refusal(&frames), (1, error));
}

#[test]
fn refuses_epochs_that_change_without_resync() {
    let epoch = |record, expected, found| StreamError::Epoch {
        record,
        expected,
        found,
    };
    let with = |at: usize, frame| {
        let mut frames = good();
        frames[at] = frame;
        refusal(&frames)
    };
    assert_eq!(with(3, delete(8, 4)), (3, epoch(3, 3, 4)));
    assert_eq!(with(3, delete(8, 2)), (3, epoch(3, 3, 2)));
    assert_eq!(with(5, delete(10, 3)), (5, epoch(5, 7, 3)));
    assert_eq!(with(4, resync(9, 3)), (4, epoch(4, 3, 3)));
    assert_eq!(with(4, resync(9, 2)), (4, epoch(4, 3, 2)));
    assert_eq!(with(6, end(11, 8, 5)), (6, epoch(6, 7, 8)));
}

#[test]
fn refuses_rows_of_another_dim() {
    let dim = |record| StreamError::Dim {
        record,
        expected: 2,
        found: 3,
    };
    let mut frames = good();
    frames[1] = insert(6, 3, &[1.0; 3]);
    assert_eq!(refusal(&frames), (1, dim(1)));
    let mut frames = good();
    frames[2] = batch(7, 3, &[1.0; 3]);
    assert_eq!(refusal(&frames), (2, dim(2)));
}

#[test]
fn refuses_another_record_count() {
    for expected in [0, 4, 6, u64::MAX] {
        let mut frames = good();
        frames[6] = end(11, 7, expected);
        let error = StreamError::RecordCount { expected, found: 5 };
        assert_eq!(refusal(&frames), (6, error));
    }
    let frames = [start(1, 1), end(2, 1, 0)];
    assert!(!is_refused(&frames.concat()));
}

#[test]
fn every_flip_of_a_byte_is_detected() {
    let bytes = good().concat();
    let mut flipped = bytes.clone();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            flipped[at] ^= flip;
            assert!(is_refused(&flipped), "byte {at} xor {flip:#x}");
            flipped[at] ^= flip;
        }
    }
    // Each field of a header, and a payload, by every value.
    for at in [0, 8, 9, 10, 12, 16, 24, 28, 32, 40, 48, 52, 56, 64, 80] {
        for flip in 1..=u8::MAX {
            flipped[at] ^= flip;
            assert!(is_refused(&flipped), "byte {at} xor {flip:#x}");
            flipped[at] ^= flip;
        }
    }
    assert_eq!(flipped, bytes);
}

#[test]
fn every_cut_is_detected() {
    let bytes = good().concat();
    for cut in 0..bytes.len() {
        assert!(is_refused(&bytes[..cut]), "cut at {cut}");
    }
    for cut in 1..bytes.len() {
        assert!(is_refused(&bytes[cut..]), "from {cut}");
    }
}

proptest! {
    #[test]
    fn prop_permuted_duplicated_or_cut_streams_are_detected(
        picks in proptest::collection::vec(0..7_usize, 0..12),
    ) {
        let frames = good();
        let picked: Vec<u8> = picks.iter().flat_map(|&at| frames[at].clone()).collect();
        prop_assert_eq!(is_refused(&picked), picks != [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn prop_permuted_streams_are_detected(
        order in Just(vec![0, 1, 2, 3, 4, 5, 6_usize]).prop_shuffle(),
    ) {
        let frames = good();
        let permuted: Vec<u8> = order.iter().flat_map(|&at| frames[at].clone()).collect();
        prop_assert_eq!(is_refused(&permuted), !order.is_sorted());
    }

    #[test]
    fn prop_one_frame_repeated_moved_or_left_out_is_detected(
        at in 0..7_usize,
        to in 0..7_usize,
        what in 0..3,
    ) {
        let mut frames = good();
        let frame = frames[at].clone();
        if what > 0 {
            frames.remove(at);
        }
        if what < 2 {
            frames.insert(to.min(frames.len()), frame);
        }
        prop_assert_eq!(is_refused(&frames.concat()), frames != good());
    }

    #[test]
    fn prop_any_bytes_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        keep in 0..7_usize,
    ) {
        let frames = good();
        let spoiled = [&frames[..keep].concat()[..], &bytes].concat();
        let last = StreamReader::new(&spoiled).last();
        prop_assert!(last.is_some_and(|record| record.is_err()));
    }
}

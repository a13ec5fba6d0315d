use super::{Record, RecordError};
use crate::{
    header::{DeltaHeader, HeaderError, Operation},
    payload::PayloadError,
    testing::frame,
};

#[test]
fn a_record_is_one_whole_frame() {
    let header = DeltaHeader::new(Operation::Delete, 8, 3);
    let frame = frame(header, &[0; 4]);
    let needed = frame.len();
    for found in 0..needed {
        let needed = if found < 64 { 64 } else { needed };
        assert_eq!(
            Record::parse(&frame[..found]),
            Err(RecordError::Truncated { needed, found })
        );
    }
    assert_eq!(
        Record::parse(&[&frame[..], &[0, 0]].concat()),
        Err(RecordError::TrailingBytes { count: 2 })
    );
    let header = frame.first_chunk().unwrap();
    assert_eq!(Record::from_parts(header, &[0; 4]), Record::parse(&frame));
    assert_eq!(
        Record::from_parts(header, &[0; 3]),
        Err(RecordError::Truncated {
            needed: 68,
            found: 67
        })
    );
    assert_eq!(
        Record::from_parts(header, &[0; 5]),
        Err(RecordError::TrailingBytes { count: 1 })
    );
    let record = Record::parse(&frame).unwrap();
    assert_eq!((record.size(), record.payload_bytes()), (68, &[0; 4][..]));
}

#[test]
fn a_record_of_a_made_header_is_checked_too() {
    let good = DeltaHeader::new(Operation::Delete, 8, 3)
        .seal(&[0; 4])
        .unwrap();
    assert!(Record::with_header(good, &[0; 4]).is_ok());
    let made = DeltaHeader {
        sequence: 0,
        ..good
    };
    assert!(matches!(
        Record::with_header(made, &[0; 4]),
        Err(RecordError::Header(HeaderError::Numbering { .. }))
    ));
    let made = DeltaHeader {
        timestamp_us: 1,
        ..good
    };
    assert!(matches!(
        Record::with_header(made, &[0; 4]),
        Err(RecordError::Header(HeaderError::Checksum { .. }))
    ));
    let empty = good.seal(&[]).unwrap();
    assert_eq!(
        Record::with_header(empty, &[]),
        Err(RecordError::Payload(PayloadError::Size {
            expected: 4,
            found: 0
        }))
    );
}

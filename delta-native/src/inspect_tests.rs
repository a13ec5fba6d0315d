use delta_core::codec::lz4::Lz4Scratch;
use delta_core::payload::{PayloadError, metadata::MetadataError};
use delta_core::record::RecordError;
use delta_core::stream::StreamError;

use super::inspect;
use crate::fixtures::batches::{stream, with_broken_block};

#[test]
fn shows_metadata_as_they_travel() {
    let (plain, compressed) = (stream(None), stream(Some(&mut Lz4Scratch::new())));
    let [plain, compressed] = [plain, compressed].map(|bytes| {
        let mut batches = vec![];
        let summary = inspect(&bytes, |record| {
            if record.operation == "batch-update" {
                batches.push((record.compressed, record.metadata_bytes, record.bytes));
            }
        });
        let summary = summary.unwrap();
        assert_eq!((summary.updates, summary.bytes), (264, bytes.len()));
        (batches, summary.codecs)
    });
    assert_eq!(plain.1, compressed.1);
    for (number, (plain, compressed)) in plain.0.iter().zip(&compressed.0).enumerate() {
        assert_eq!((plain.0, compressed.0), (false, number % 11 == 0));
        assert_eq!(plain.2 - compressed.2, plain.1 - compressed.1);
    }
    assert!(plain.0[11].1 > 2 * compressed.0[11].1);
}

#[test]
fn refuses_a_broken_block() {
    let (bytes, at) = with_broken_block(&stream(Some(&mut Lz4Scratch::new())), 21);
    let refused = inspect(&bytes, |_| {});
    let Err(StreamError::Record { offset, error, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(offset, at);
    assert!(matches!(
        error,
        RecordError::Payload(PayloadError::Metadata(MetadataError::Compressed { .. }))
    ));
}

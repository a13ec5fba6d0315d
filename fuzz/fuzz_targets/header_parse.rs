//! Any 64 bytes are a header that emits the same bytes again, or an error. What follows them is a
//! payload: it fits the header's checksum only if its size does too.
#![no_main]

use delta_core::header::{DeltaHeader, HEADER_SIZE};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, payload)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
        return;
    };
    let Ok(header) = DeltaHeader::parse(head) else {
        return;
    };
    assert_eq!(header.to_bytes(), *head, "parse and emit are inverse");
    if let Ok(sealed) = header.seal(payload) {
        assert_eq!(sealed.payload_size as usize, payload.len());
        assert_eq!(sealed.verify(payload), Ok(()));
    }
});

//! See `delta_fuzz::targets::codec_roundtrip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::codec_roundtrip::run(input));

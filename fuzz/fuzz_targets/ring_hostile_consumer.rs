//! See `delta_fuzz::targets::ring_hostile_consumer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::ring_hostile_consumer::run(input));

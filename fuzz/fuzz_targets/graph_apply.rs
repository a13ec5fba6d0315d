//! See `delta_fuzz::targets::graph_apply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::graph_apply::run(input));

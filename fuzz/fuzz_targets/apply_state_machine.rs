//! See `delta_fuzz::targets::apply_state_machine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| delta_fuzz::targets::apply_state_machine::run(input));

//! One property a file: `run` takes the fuzzer's bytes and panics if the property fails.

pub mod apply_state_machine;
pub mod codec_decode;
pub mod codec_roundtrip;
pub mod graph_apply;
pub mod header_parse;
pub mod kernel_differential;
pub mod payload_graph;
pub mod payload_vector;
pub mod record_stream;
pub mod ring_hostile_consumer;
pub mod ring_region;
pub mod tensor_apply;

/// A target's name and its property.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const ALL: [Target; 12] = [
    ("header_parse", header_parse::run),
    ("record_stream", record_stream::run),
    ("payload_vector", payload_vector::run),
    ("payload_graph", payload_graph::run),
    ("codec_decode", codec_decode::run),
    ("codec_roundtrip", codec_roundtrip::run),
    ("kernel_differential", kernel_differential::run),
    ("ring_region", ring_region::run),
    ("ring_hostile_consumer", ring_hostile_consumer::run),
    ("apply_state_machine", apply_state_machine::run),
    ("graph_apply", graph_apply::run),
    ("tensor_apply", tensor_apply::run),
];

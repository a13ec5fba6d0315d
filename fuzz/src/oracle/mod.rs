//! WIRE.md word for word. `None` is a refusal: the oracles say that, not why.

pub mod bytes;
pub mod digest;
pub mod distance;
pub mod frame;
pub mod graph;
pub mod graph_change;
pub mod lz4;
pub mod payload;
pub mod region;
pub mod state;
pub mod stream;
pub mod tensor;
pub mod values;

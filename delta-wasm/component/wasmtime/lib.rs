//! The component in wasmtime: see `tests/`.

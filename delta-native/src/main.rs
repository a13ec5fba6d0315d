//! The `delta` command.
fn main() {}

//! State digest terms (WIRE.md, "State digest").

//! The golden vectors, read from WIRE.md.

use crate::oracle::frame::{self, Header};

const WIRE: &str = include_str!("../../delta-core/WIRE.md");

/// The frames of all fenced blocks of one kind (`golden`, `refused`), in order: `(name, bytes)`.
///
/// # Panics
/// If WIRE.md is not as its own text says.
pub fn frames(kind: &str) -> Vec<(&'static str, Vec<u8>)> {
    let fence = format!("\n```{kind} ");
    let frames: Vec<_> = WIRE
        .split(fence.as_str())
        .skip(1)
        .map(|block| {
            let (name, rest) = block.split_once('\n').expect("a name ends its line");
            let (hex, _) = rest.split_once("```").expect("a fence ends the block");
            (name, bytes_of(hex))
        })
        .collect();
    assert!(!frames.is_empty(), "WIRE.md has no {kind} frames");
    frames
}

/// Dim, and tag with encoded values, of the blocks `values` and `values-refused`.
pub fn first_lines(kind: &str) -> Vec<(u8, Vec<u8>)> {
    let fence = format!("\n```{kind} ");
    let blocks = WIRE.split(fence.as_str()).skip(1).map(|block| {
        let (_, rest) = block.split_once('\n').expect("a name ends its line");
        let (hex, _) = rest.split_once("```").expect("a fence ends the block");
        if kind == "values" {
            let mut lines = hex.lines().map(bytes_of);
            let (tagged, old) = (lines.next(), lines.next());
            let dim = old.map_or(0, |old| old.len() / 4);
            (dim as u8, tagged.unwrap_or_default())
        } else {
            let bytes = bytes_of(hex);
            (bytes[0], bytes[1..].to_vec())
        }
    });
    blocks.collect()
}

/// All golden frames, which are one stream.
pub fn golden_stream() -> Vec<u8> {
    stream("golden")
}

/// All frames of one kind, one behind another.
pub fn stream(kind: &str) -> Vec<u8> {
    frames(kind)
        .into_iter()
        .flat_map(|(_, frame)| frame)
        .collect()
}

/// The golden payloads of batches (`payload`, `payload-refused`) as frames: `(name, bytes)`.
///
/// # Panics
/// If WIRE.md is not as its own text says.
pub fn batches() -> Vec<(&'static str, Vec<u8>)> {
    let golden = frames("golden");
    let batch = golden.iter().find(|(name, _)| *name == "batch");
    let header = batch.and_then(|(_, frame)| frame::header(frame));
    let header = header.expect("a golden batch");
    let payloads = frames("payload").into_iter();
    let payloads = payloads.chain(frames("payload-refused"));
    let frames = payloads.map(|(name, payload)| {
        let plain = name == "batch-metadata";
        let header = Header {
            sequence: 100,
            flags: if plain { 0 } else { frame::COMPRESSED },
            state_digest: 0,
            ..header
        };
        (name, header.sealed(&payload))
    });
    frames.collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

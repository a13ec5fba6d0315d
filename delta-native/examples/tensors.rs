//! Replays update streams as tensors: `cargo run --release --example tensors -- STREAM...`
//!
//! A stream of snapshots is one tensor that changes as a whole (weights); any other is a table
//! whose rows are appended and changed (embeddings). For each it prints how many bytes the changes
//! take, and whether the replica is identical after each of them.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use delta_core::payload::tensor::{DType, Shape, Slab};
use delta_core::pipeline::apply::Outcome;
use delta_core::pipeline::tensor::TensorStream;
use delta_core::ring::Region;
use delta_core::tensor::{Tensor, TensorEdit};
use delta_native::region::HeapRegion;
use delta_native::stream::{Event, Operation, Stream};

fn main() -> Result<()> {
    let stems: Vec<String> = std::env::args().skip(1).collect();
    if stems.is_empty() {
        bail!("name streams: cargo run --release --example tensors -- STREAM...");
    }
    println!(
        "{:<20} {:>12} {:>8} {:>12} {:>12} {:>7}",
        "stream", "shape", "updates", "raw", "sent", "ratio"
    );
    for stem in stems {
        let stream = Stream::load(Path::new(&stem)).with_context(|| stem.clone())?;
        let (shape, updates, raw, sent) = replay(&stream).with_context(|| stem)?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let ratio = raw as f64 / sent as f64;
        let name = stream.name();
        println!("{name:<20} {shape:>12} {updates:>8} {raw:>12} {sent:>12} {ratio:>7.2}");
    }
    println!("replicas identical after each change");
    Ok(())
}

/// Final shape, number of updates, and their bytes: as rows, and as records with all that they
/// carry.
fn replay(stream: &Stream) -> Result<(String, u64, u64, u64)> {
    let (slots, dim) = (stream.slots(), stream.dim());
    // One entity is a tensor of its own; several are the rows of a table, which begins empty.
    let width = if slots == 1 { row_width(dim) } else { dim };
    let rows = if slots == 1 { dim / width } else { 0 };
    let shape = Shape::new(&[rows, width])?;
    let words = slots as usize * dim as usize;
    let (mut memory, mut other) = (vec![0; words], vec![0; words]);
    let mut tensors = [Tensor::new(DType::F32, shape, &mut memory)?];
    let mut copies = [Tensor::new(DType::F32, shape, &mut other)?];
    let mut writer = TensorStream::new(&mut tensors);
    let mut replica = TensorStream::new(&mut copies);
    let geometry = delta_core::ring::Geometry::new(16, (8 * dim + 4096).next_multiple_of(16))?;
    let mut region = HeapRegion::new(geometry.region_size())?;
    let (mut tx, mut rx) = Region::create(region.as_mut_slice(), geometry)?.split();

    let (mut updates, mut raw, mut sent) = (0, 0, 0);
    for event in stream.iter() {
        let Some(edit) = edit_of(&event, slots) else {
            continue;
        };
        let header = match writer.send(&mut tx, 0, edit) {
            Ok(header) => header,
            // A row that was written again as it was.
            Err(error) if error.is_unchanged() => continue,
            Err(error) => return Err(error.into()),
        };
        ensure!(
            replica.poll(&mut rx)? == Some(Outcome::Applied),
            "not applied"
        );
        ensure!(
            replica.current_position() == writer.current_position(),
            "positions differ"
        );
        if event.operation == Operation::Update {
            updates += 1;
            raw += 4 * u64::from(dim);
            sent += 64 + u64::from(header.payload_size);
        }
    }
    let [tensor] = replica.tensors() else {
        bail!("one tensor was declared");
    };
    let written = writer.tensors().first().map(Tensor::as_bytes);
    ensure!(written == Some(tensor.as_bytes()), "the replica differs");
    ensure!(
        tensor.digest(0) == replica.current_position().digest,
        "the digest differs"
    );
    Ok((
        format!("{:?}", tensor.shape().extents()),
        updates,
        raw,
        sent,
    ))
}

/// Elements of a row of a tensor of so many that changes as a whole: rows of up to 1,024 floats are
/// encoded as differences.
fn row_width(elements: u32) -> u32 {
    let widths = (1..=elements.min(1_024)).rev();
    let mut widths = widths.filter(|width| elements.is_multiple_of(*width));
    widths.next().unwrap_or(1)
}

/// What an event does to the tensor; a deletion leaves the row.
fn edit_of<'e>(event: &Event<'e>, slots: u32) -> Option<TensorEdit<'e>> {
    let elements = bytemuck::cast_slice(event.row);
    match event.operation {
        Operation::Insert if slots > 1 => {
            let (axis, start, count) = (0, event.slot, 1);
            let slab = Slab { axis, start, count };
            Some(TensorEdit::Put { slab, elements })
        }
        Operation::Insert | Operation::Update => Some(TensorEdit::Rows {
            start: event.slot,
            elements,
        }),
        Operation::Delete => None,
    }
}

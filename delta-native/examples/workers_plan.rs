//! What more cores would bring to parallel apply, from the costs of this machine.
//!
//! `cargo run --release -p delta-native --example workers_plan [-- DIM MEMORY_SHARE]` applies dense
//! updates of rows of DIM components (1,536) by one worker, then prints what the model of
//! `workers::plan` says of up to 64. MEMORY_SHARE (16) says how many times one core's memory
//! traffic the machine in question carries: a figure of its data sheet, not of this machine.

use std::error::Error;
use std::time::Instant;

use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_native::workers::plan::{Costs, speedup};
use delta_native::workers::{ShardedReplica, run};

const ROWS: u32 = 8_192;
const BATCH: u64 = 4_096;
/// Assumed: a look at a header, and a place in a ring.
const ROUTE_NS: u64 = 40;
/// Assumed: a parked thread's way to its first record.
const WAKE_NS: u64 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dim: u32 = arguments.next().map_or(Ok(1_536), |text| text.parse())?;
    let memory_share_max: u64 = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let record_ns = measure(dim)?;
    let costs = Costs {
        record_ns,
        route_ns: ROUTE_NS,
        wake_ns: WAKE_NS,
        memory_share_max,
    };
    println!(
        "{dim} components, one worker: {record_ns} ns a record; memory for {memory_share_max}"
    );
    println!("workers  speedup  records/s");
    for workers in [1, 2, 4, 8, 16, 24, 32, 48, 64] {
        let factor = speedup(workers, BATCH, &costs);
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let rate = factor * 1e9 / record_ns as f64;
        println!("{workers:7}  {factor:7.2}  {rate:9.0}");
    }
    Ok(())
}

/// Nanoseconds that one worker takes for a record: the best of some batches.
fn measure(dim: u32) -> Result<u64, Box<dyn Error>> {
    let mut replica = ShardedReplica::new(dim, ROWS, 1, Position::START)?;
    let zero = vec![0.0; dim as usize];
    while replica.push_base(&zero) {}
    let mut states = vec![SlotState::default(); ROWS as usize];
    let mut sequencer = Sequencer::new(dim, &mut states, ROWS, Position::START);
    let mut out = vec![0; 64 + 5 * dim as usize];
    let (mut rows, mut seed) = (vec![zero; ROWS as usize], 1_u32);
    run(&replica, |session| {
        let (mut best_ns, mut frames) = (u64::MAX, Vec::new());
        for _ in 0..5 {
            frames.clear();
            for step in 0..BATCH {
                // An odd stride visits the slots in no order.
                let slot = u32::try_from(step * 4_097 % u64::from(ROWS))?;
                let Some(row) = rows.get_mut(slot as usize) else {
                    continue;
                };
                let old = row.clone();
                for component in row.iter_mut() {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *component = f32::from_bits(0x3f00_0000 | seed >> 9);
                }
                let prepared = sequencer.prepare_update(slot, &old, row, &[], &mut out, None)?;
                let size = prepared.header.payload_size as usize;
                frames.extend_from_slice(&prepared.header.to_bytes());
                frames.extend_from_slice(out.get(..size).unwrap_or_default());
                sequencer.commit(prepared);
            }
            let start = Instant::now();
            let (applied, memory) = session.apply_batch(frames);
            let elapsed_ns = u64::try_from(start.elapsed().as_nanos())?;
            applied?;
            best_ns = best_ns.min(elapsed_ns / BATCH);
            frames = memory;
        }
        Ok(best_ns)
    })?
}

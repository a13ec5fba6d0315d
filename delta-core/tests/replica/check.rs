//! One replica, one set of searches, the same words in every place: the tests of the host and the
//! checks that run without an operating system and in WebAssembly all include this file.
//!
//! It applies `stream.delta`, a stream of rows and their graph, and tells what searches find, as
//! `found.txt` has it.

use core::fmt;

use delta_core::graph::search::{Candidate, Neighbour, SearchScratch};
use delta_core::graph::{Adjacency, GraphBuffers, Shape};
use delta_core::kernel::distance::{Metric, Query};
use delta_core::pipeline::apply::{Applier, Outcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::store::{Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, state_digest};
use delta_core::stream::StreamReader;

const STREAM: &[u8] = include_bytes!("stream.delta");
/// What every place finds.
pub const FOUND: &str = include_str!("found.txt");

/// Components of a row: more than the 16 lanes of a distance, and no multiple of them.
const DIM: usize = 21;
const ROWS: usize = 96;
const SHAPE: Shape = Shape {
    nodes_max: 96,
    degree0_max: 12,
    degree_max: 6,
    upper_blocks_max: 48,
};
const QUERIES: u32 = 32;
const METRICS: [(Metric, &str); 3] = [
    (Metric::SquaredL2, "squared-l2"),
    (Metric::Dot, "dot"),
    (Metric::Cosine, "cosine"),
];

/// Most of the memory of the replica and of its searches.
pub struct Memory {
    rows: [f32; ROWS * DIM],
    attributes: [u8; 1536],
    neighbours0: [u32; ROWS * 12],
    degrees0: [u8; ROWS],
    levels: [u8; ROWS],
    tombstones: [u64; ROWS.div_ceil(64)],
    upper_base: [u32; ROWS],
    upper: [u32; 48 * 7],
    visited: [u16; ROWS],
}

impl Memory {
    pub const fn new() -> Self {
        Self {
            rows: [0.0; ROWS * DIM],
            attributes: [0; 1536],
            neighbours0: [0; ROWS * 12],
            degrees0: [0; ROWS],
            levels: [0; ROWS],
            tombstones: [0; ROWS.div_ceil(64)],
            upper_base: [0; ROWS],
            upper: [0; 48 * 7],
            visited: [0; ROWS],
        }
    }
}

/// Applies the stream and writes what searches find: for each query and metric a line of slots and
/// the bits of their distances, then the state digest.
///
/// # Errors
/// What failed: a record, the graph's memory, or `out`.
pub fn write_found(memory: &mut Memory, out: &mut impl fmt::Write) -> Result<(), &'static str> {
    let buffers = GraphBuffers {
        neighbours0: &mut memory.neighbours0,
        degrees0: &mut memory.degrees0,
        levels: &mut memory.levels,
        tombstones: &mut memory.tombstones,
        upper_base: &mut memory.upper_base,
        upper: &mut memory.upper,
    };
    let graph = Adjacency::new(SHAPE, buffers).map_err(|_| "the graph's memory")?;
    let mut slots = [Slot::default(); ROWS];
    let rows = SliceMemory {
        rows: &mut memory.rows,
        slots: &mut slots,
        attributes: &mut memory.attributes,
    };
    let graph = ReplicaGraph::new(graph, Metric::SquaredL2);
    let mut store = SliceStore::new(DIM as u32, rows).with_graph(graph);
    let mut scratch = [0; 4 * DIM];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for record in StreamReader::new(STREAM) {
        let record = record.map_err(|_| "a frame")?;
        let outcome = applier.apply_delta(&record, &mut store);
        if outcome != Ok(Outcome::Applied) {
            return Err("a record");
        }
    }
    let mut pool = [Candidate::default(); 48];
    let mut scratch = SearchScratch::new(&mut pool, &mut memory.visited);
    let mut random = 1;
    for number in 0..QUERIES {
        let query = query(&store, number, &mut random);
        for (metric, name) in METRICS {
            write_line(&store, &Query::new(metric, &query), &mut scratch, out, name)?;
        }
    }
    writeln!(out, "digest {:016x}", state_digest(&store)).map_err(|_| "the last line")
}

fn write_line(
    store: &SliceStore<'_>,
    query: &Query<'_>,
    scratch: &mut SearchScratch<'_>,
    out: &mut impl fmt::Write,
    metric: &str,
) -> Result<(), &'static str> {
    let mut found = [Neighbour::default(); 5];
    let graph = store.graph().ok_or("the graph")?.adjacency();
    let count = graph.search(store, query, 24, scratch, &mut found);
    let count = count.map_err(|_| "the scratch")?;
    write!(out, "{metric}").map_err(|_| "a line")?;
    for near in found.iter().take(count) {
        let bits = near.distance.to_bits();
        write!(out, " {}:{bits:08x}", near.slot).map_err(|_| "a line")?;
    }
    writeln!(out).map_err(|_| "a line")
}

/// Rows of the replica, rows near them and rows anywhere; then some on which sums overflow, vanish
/// or are no numbers.
fn query(store: &SliceStore<'_>, number: u32, random: &mut u32) -> [f32; DIM] {
    const AWKWARD: [u32; 6] = [0, 1 << 31, 1, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0001];
    let mut query = [0.0; DIM];
    let row = store.row(number * 7 % ROWS as u32).unwrap_or_default();
    for (at, (component, &near)) in query.iter_mut().zip(row).enumerate() {
        let eighths = (next(random) % 65) as f32 / 8.0 - 4.0;
        *component = match number {
            0..8 => near,
            8..16 => near + eighths / 16.0,
            16..26 => eighths,
            _ if at % 5 == 0 => f32::from_bits(AWKWARD[number as usize % AWKWARD.len()]),
            _ if number.is_multiple_of(2) => 0.0,
            _ => near,
        };
    }
    query
}

fn next(random: &mut u32) -> u32 {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    *random
}

//! What is checked. No part of it knows the target.

mod replica;
mod ring;

use core::fmt;

use delta_core::digest::lane_key;
use delta_core::kernel::{apply, diff, digest};
use delta_core::pipeline::apply::{Applier, Apply, Outcome};
use delta_core::pipeline::capture::Capture;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::ring::StaticRing;
use delta_core::store::{Replica, SliceMemory, SliceStore, Slot, state_digest};

/// Records in the ring, at most.
const SLOTS: usize = 16;
/// With 16 header slots and the control block: 4 KiB.
const PAYLOAD_BYTES: usize = 2432;
const _: () = assert!(size_of::<StaticRing<SLOTS, PAYLOAD_BYTES>>() == 4096);

const DIM: usize = 64;
const ENTITIES: usize = 8;
const ROWS_SIZE: usize = DIM * ENTITIES;
const DELTAS: u32 = 2000;

const WIRE: &str = include_str!("../../../delta-core/WIRE.md");

/// All memory that the checks need beside their stack.
pub struct Memory {
    ring: StaticRing<SLOTS, PAYLOAD_BYTES>,
    primary: [f32; ROWS_SIZE],
    replica: [f32; ROWS_SIZE],
    attributes: [u8; 1024],
    scratch: [u8; 256],
    graph: replica::Memory,
}

impl Memory {
    pub const fn new() -> Self {
        Self {
            ring: StaticRing::new(),
            primary: [0.0; ROWS_SIZE],
            replica: [0.0; ROWS_SIZE],
            attributes: [0; 1024],
            scratch: [0; 256],
            graph: replica::Memory::new(),
        }
    }
}

/// Which check failed, and where.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The check.
    #[allow(dead_code, reason = "read by Debug alone, which is how it is shown")]
    pub check: &'static str,
    /// Number of the record, row or frame.
    #[allow(dead_code, reason = "read by Debug alone, which is how it is shown")]
    pub at: u32,
}

/// What was checked.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    records: u32,
    full: u32,
    kernels: u32,
    rows: u32,
    deltas: u32,
    frames: u32,
    digest: u64,
    searches: u32,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "ring: {} records through 4096 bytes, full {} times",
            self.records, self.full
        )?;
        writeln!(f, "diff: {} rows, scattered back bit for bit", self.rows)?;
        writeln!(
            f,
            "kernels: {} pairs of rows as the definitions say",
            self.kernels
        )?;
        writeln!(f, "golden: {} frames applied", self.frames)?;
        writeln!(
            f,
            "replica: identical after {} deltas, digest {:016x}",
            self.deltas, self.digest
        )?;
        write!(
            f,
            "graph: {} lines of ids and distance bits as everywhere",
            self.searches
        )
    }
}

/// Runs every check in `memory`.
pub fn run(memory: &mut Memory) -> Result<Report, Failure> {
    let (records, full) = ring::run(memory)?;
    let kernels = kernels()?;
    let rows = diffs()?;
    let frames = golden(memory)?;
    let (deltas, digest) = replicate(memory)?;
    let searches = replica::run(&mut memory.graph)?;
    Ok(Report {
        records,
        full,
        kernels,
        rows,
        deltas,
        frames,
        digest,
        searches,
    })
}

fn require(is_right: bool, check: &'static str, at: u32) -> Result<(), Failure> {
    if is_right {
        Ok(())
    } else {
        Err(Failure { check, at })
    }
}

fn refused<E>(check: &'static str, at: u32) -> impl FnOnce(E) -> Failure {
    move |_| Failure { check, at }
}

fn xorshift(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// Bits that a float operation would alter or confuse, among others.
fn some_bits(random: &mut u32) -> u32 {
    const AWKWARD: [u32; 8] = [
        0x7fc0_0000,
        0x7fc0_0001,
        0xff80_0001,
        0,
        1 << 31,
        1,
        0x7f80_0000,
        0x3f80_0000,
    ];
    match xorshift(random) % 3 {
        0 => AWKWARD[*random as usize / 3 % AWKWARD.len()],
        _ => *random,
    }
}

fn change_some(row: &mut [f32], random: &mut u32) {
    for value in row {
        if xorshift(random).is_multiple_of(8) {
            *value = f32::from_bits(some_bits(random));
        }
    }
}

fn change_all(row: &mut [f32], random: &mut u32) {
    for value in row {
        *value = f32::from_bits(some_bits(random));
    }
}

fn same_bits(left: &[f32], right: &[f32]) -> bool {
    let bits = |row: &[f32], at: usize| row.get(at).map(|value| value.to_bits());
    left.len() == right.len() && (0..left.len()).all(|at| bits(left, at) == bits(right, at))
}

/// Every kernel against its definition, over awkward bits at every length and alignment: what
/// differs in a lane, by bits and beyond an epsilon, and the sums. Returns how many pairs of rows.
fn kernels() -> Result<u32, Failure> {
    const EPSILONS: [f32; 5] = [0.0, 0.5, f32::INFINITY, f32::NAN, -1.0];
    let mut random = 4;
    let mut pairs = 0;
    let mut old = [0.0; DIM + 7];
    for start in 0..4 {
        for end in start..=old.len() {
            change_all(&mut old, &mut random);
            let mut new = old;
            change_some(&mut new, &mut random);
            let (old, new) = (&old[start..end], &new[start..end]);
            let changed = |at: usize| old[at].to_bits() != new[at].to_bits();
            let count = (0..old.len()).filter(|&at| changed(at)).count();
            require(
                diff::count_changed(old, new) == Ok(count),
                "count_changed",
                pairs,
            )?;

            let epsilon = EPSILONS[pairs as usize % EPSILONS.len()];
            let (mut indices, mut values) = ([0; DIM + 7], [0.0; DIM + 7]);
            let listed = diff::diff_within(old, new, epsilon, &mut indices, &mut values)
                .map_err(refused("diff_within", pairs))?;
            let is_within = |at: usize| (new[at] - old[at]).abs() <= epsilon;
            let beyond = (0..old.len()).filter(|&at| changed(at) && !is_within(at));
            let expected = beyond.clone().map(|at| at as u32);
            require(
                expected.eq(indices[..listed].iter().copied()),
                "diff_within",
                pairs,
            )?;
            let mut bits = beyond.map(|at| new[at].to_bits());
            let is_same = values[..listed]
                .iter()
                .all(|value| bits.next() == Some(value.to_bits()));
            require(is_same, "values of diff_within", pairs)?;

            let sum = (0..).zip(new).fold(0, |sum: u64, (at, value)| {
                sum.wrapping_add(u64::from(value.to_bits()).wrapping_mul(lane_key(at)))
            });
            require(digest::row_sum(new) == sum, "row_sum", pairs)?;
            pairs += 1;
        }
    }
    Ok(pairs)
}

/// scatter(diff(old, new), old) is new in every bit, at every length. Returns how many rows.
fn diffs() -> Result<u32, Failure> {
    let mut random = 2;
    let mut rows = 0;
    let mut old = [0.0; DIM + 7];
    for dim in 0..=old.len() {
        for _ in 0..8 {
            let mut new = old;
            change_some(&mut new[..dim], &mut random);
            let (mut indices, mut values) = ([0; DIM + 7], [0.0; DIM + 7]);
            let changed = diff::diff(&old[..dim], &new[..dim], &mut indices, &mut values)
                .map_err(refused("diff", rows))?;
            let (indices, values) = (&indices[..changed], &values[..changed]);
            apply::scatter(&mut old[..dim], indices, values).map_err(refused("scatter", rows))?;
            require(same_bits(&old, &new), "the scattered row", rows)?;
            rows += 1;
        }
    }
    Ok(rows)
}

/// The golden stream of WIRE.md applies, frame by frame, digests included.
fn golden(memory: &mut Memory) -> Result<u32, Failure> {
    let mut slots = [Slot::default(); ENTITIES];
    memory.replica.fill(0.0);
    let rows = SliceMemory {
        rows: &mut memory.replica,
        slots: &mut slots,
        attributes: &mut memory.attributes,
    };
    let mut store = SliceStore::new(4, rows);
    let mut applier = Applier::new(Position::START, &mut memory.scratch);
    let mut frames = 0;
    for block in WIRE.split("\n```golden ").skip(1) {
        let mut frame = [0; 256];
        let digits = block
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('`'));
        let mut size = 0;
        for digit in digits
            .flat_map(|line| line.chars())
            .filter_map(|c| c.to_digit(16))
        {
            frame[size / 2] = frame[size / 2] << 4 | digit as u8;
            size += 1;
        }
        let record = Record::parse(&frame[..size / 2]).map_err(refused("golden frame", frames))?;
        let outcome = applier.apply_delta(&record, &mut store);
        require(outcome == Ok(Outcome::Applied), "golden apply", frames)?;
        frames += 1;
    }
    let digest = applier.current_position().digest;
    require(
        frames > 0 && digest == state_digest(&store),
        "golden digest",
        frames,
    )?;
    Ok(frames)
}

/// Captures changes of a primary into the ring and applies them to a replica, which is then the
/// same in every bit. Returns how many deltas, and the digest.
fn replicate(memory: &mut Memory) -> Result<(u32, u64), Failure> {
    let (mut numbering, mut slots) = (
        [SlotState::default(); ENTITIES],
        [Slot::default(); ENTITIES],
    );
    let (producer, consumer) = memory.ring.split();
    let sequencer = Sequencer::new(DIM as u32, &mut numbering, 0, Position::START);
    let mut capture = Capture::new(producer, sequencer);
    let rows = SliceMemory {
        rows: &mut memory.replica,
        slots: &mut slots,
        attributes: &mut memory.attributes,
    };
    let mut store = SliceStore::new(DIM as u32, rows);
    let applier = Applier::new(Position::START, &mut memory.scratch);
    let mut apply = Apply::new(consumer, applier);

    let mut random = 3;
    let mut deltas = 0;
    for (number, row) in (0..).zip(memory.primary.chunks_exact_mut(DIM)) {
        change_some(row, &mut random);
        let slot = capture.insert(&[b'a' + number], row, &[]);
        require(slot == Ok(u32::from(number)), "insert", deltas)?;
        deltas += 1;
        while apply
            .poll(&mut store)
            .map_err(refused("apply", deltas))?
            .is_some()
        {}
    }
    while deltas < DELTAS {
        let slot = xorshift(&mut random) % ENTITIES as u32;
        let start = slot as usize * DIM;
        let row = &mut memory.primary[start..start + DIM];
        let mut old = [0.0; DIM];
        old.copy_from_slice(row);
        change_some(row, &mut random);
        match capture.update(slot, &old, row) {
            Ok(()) => deltas += 1,
            Err(error) if error.is_full() => {
                row.copy_from_slice(&old);
                while apply
                    .poll(&mut store)
                    .map_err(refused("apply", deltas))?
                    .is_some()
                {}
            }
            Err(_) => {
                return Err(Failure {
                    check: "update",
                    at: deltas,
                });
            }
        }
    }
    capture.delete(0).map_err(refused("delete", deltas))?;
    deltas += 1;
    while apply
        .poll(&mut store)
        .map_err(refused("apply", deltas))?
        .is_some()
    {}
    require(store.is_deleted(0), "tombstone", 0)?;
    require(
        same_bits(store.rows(), &memory.primary),
        "the replica's rows",
        deltas,
    )?;
    let digest = state_digest(&store);
    require(
        digest == capture.position().digest,
        "the replica's digest",
        deltas,
    )?;
    Ok((deltas, digest))
}

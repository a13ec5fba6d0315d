//! A log of updates, and a replica for them.

use delta_benches::Workload;
use delta_core::codec::CodecSet;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};

/// The frames of `count` updates of a workload's rows, one behind the other.
pub(crate) struct Log {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) base: Position,
}

pub(crate) fn slot_of(workload: &Workload, step: u64) -> (usize, u32) {
    let slot = workload.slot(step);
    (slot, u32::try_from(slot).unwrap_or(u32::MAX))
}

/// With every codec.
pub(crate) fn log(workload: &Workload, count: u64) -> Log {
    log_with(workload, count, CodecSet::ALL)
}

/// With some codecs.
pub(crate) fn log_with(workload: &Workload, count: u64, codecs: CodecSet) -> Log {
    let dim = u32::try_from(workload.dim()).unwrap_or(u32::MAX);
    let mut rows = workload.rows().to_vec();
    let slot_count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let mut states = vec![SlotState::default(); rows.len()];
    let base = Position {
        digest: digest(workload),
        ..Position::START
    };
    let mut sequencer = Sequencer::new(dim, &mut states, slot_count, base).with_codecs(codecs);
    let mut out = vec![0; 64 + 5 * workload.dim()];
    let mut frames = Vec::new();
    for step in 0..count {
        let (index, slot) = slot_of(workload, step);
        let Some(row) = rows.get_mut(index) else {
            continue;
        };
        let mut new = row.clone();
        workload.change(step, &mut new);
        let prepared = sequencer.prepare_update(slot, row, &new, &[], &mut out, None);
        let Ok(prepared) = prepared else {
            unreachable!("updates of existing rows")
        };
        let size = prepared.header.payload_size as usize;
        let payload = out.get(..size).unwrap_or_default();
        frames.push([&prepared.header.to_bytes()[..], payload].concat());
        sequencer.commit(prepared);
        *row = new;
    }
    Log { frames, base }
}

/// A replica's memory.
pub(crate) struct Memory {
    pub(crate) rows: Vec<f32>,
    pub(crate) slots: Vec<Slot>,
}

impl Memory {
    pub(crate) fn new(workload: &Workload) -> Self {
        Self {
            rows: workload.rows().concat(),
            slots: vec![Slot::default(); workload.rows().len()],
        }
    }

    pub(crate) fn store(&mut self, dim: usize) -> SliceStore<'_> {
        let slot_count = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let memory = SliceMemory {
            rows: &mut self.rows,
            slots: &mut self.slots,
            attributes: &mut [],
        };
        SliceStore::with_base(u32::try_from(dim).unwrap_or(1), slot_count, memory)
    }
}

pub(crate) fn digest(workload: &Workload) -> u64 {
    state_digest(&Memory::new(workload).store(workload.dim()))
}

pub(crate) fn records(log: &Log) -> Vec<Record<'_>> {
    let frames = log.frames.iter();
    frames
        .filter_map(|frame| Record::parse(frame).ok())
        .collect()
}

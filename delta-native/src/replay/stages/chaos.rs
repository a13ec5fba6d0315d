//! `--chaos`: the log by a transport that damages, drops, repeats and reorders.

use delta_core::pipeline::apply::{Applier, Outcome};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::state_digest;

use super::log::Log;
use super::{ReplicaMemory, StageError, StageReport};
use crate::stream::Stream;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        usize::try_from(bits % (bound.max(1) as u64)).unwrap_or(0)
    }
}

#[derive(Default)]
struct Faults {
    damaged: u64,
    out_of_order: u64,
    repeated: u64,
}

/// Delivers every record until it is applied; in between, whatever the seed brings. Each fault must
/// be refused (or skipped as known) and leave the position where it was.
pub(super) fn chaos(stream: &Stream, log: &Log, seed: u64) -> Result<StageReport, StageError> {
    let mut random = Random(seed);
    let mut memory = ReplicaMemory::new(stream, stream.dim())?;
    let (mut store, scratch) = memory.store(stream.dim());
    let mut applier = Applier::new(Position::START, scratch);
    let (mut faults, mut escaped) = (Faults::default(), 0_u64);
    let mut noisy = Vec::new();
    for number in 0..log.frames.len() {
        let before = applier.current_position();
        match random.below(8) {
            0 => {
                noisy.clear();
                noisy.extend_from_slice(log.frame(number).unwrap_or_default());
                let at = random.below(noisy.len());
                if let Some(byte) = noisy.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
                escaped += u64::from(Record::parse(&noisy).is_ok());
                faults.damaged += 1;
            }
            1 => {
                let other = number + 1 + random.below(5);
                if let Some(Ok(record)) = log.frame(other).map(Record::parse) {
                    escaped += u64::from(applier.apply_delta(&record, &mut store).is_ok());
                    faults.out_of_order += 1;
                }
            }
            2 => {
                let other = random.below(number);
                if let (true, Some(Ok(record))) = (number > 0, log.frame(other).map(Record::parse))
                {
                    let outcome = applier.apply_delta(&record, &mut store);
                    escaped += u64::from(outcome != Ok(Outcome::Duplicate));
                    faults.repeated += 1;
                }
            }
            _ => {}
        }
        escaped += u64::from(applier.current_position() != before);
        if let Some(Ok(record)) = log.frame(number).map(Record::parse) {
            super::apply(&mut applier, &record, &mut store, "chaos")?;
        }
    }
    let position = applier.current_position();
    let identical = position == log.position && state_digest(&store) == position.digest;
    let Faults {
        damaged,
        out_of_order,
        repeated,
    } = faults;
    Ok(StageReport {
        stage: "chaos",
        identical: identical && escaped == 0,
        summary: format!(
            "{damaged} damaged, {out_of_order} out of order, {repeated} repeated; {escaped} escaped"
        ),
    })
}

//! A gated replica under 1,000 adversarial inputs: slowed, held or refused; never diverged, never
//! corrupt.

use crate::{
    payload::Payload,
    pipeline::{
        apply::{Applier, Outcome},
        gate::{Gate, GateConfig, GatedError, GatedOutcome, Verdict},
        sequencer::{Position, Sequencer, SlotState},
    },
    record::Record,
    store::{Replica, SliceStore, state_digest},
    testing::{Memory, bits_of},
};

const DIM: usize = 16;
const SLOTS: usize = 8;
const INPUTS: usize = 1_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bound = u64::try_from(bound).unwrap();
        usize::try_from((crate::digest::mix(self.0) >> 11) % bound).unwrap()
    }
}

/// As often as they stand here: after a storm of huge steps nothing but snapshots would follow.
const ATTACKS: [Attack; 14] = [
    Attack::Honest,
    Attack::Honest,
    Attack::Honest,
    Attack::Oscillation,
    Attack::Oscillation,
    Attack::Oscillation,
    Attack::Flood,
    Attack::Flood,
    Attack::Flood,
    Attack::Flood,
    Attack::Noise,
    Attack::Noise,
    Attack::Huge,
    Attack::NanStorm,
];

/// What the primary does next.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// A small, honest step.
    Honest,
    /// A step far beyond the limits.
    Huge,
    /// To and fro by about a unit.
    Oscillation,
    /// Components become NaN.
    NanStorm,
    /// Many records, and no time passes.
    Flood,
    /// The bytes of a frame are damaged on their way.
    Noise,
}

struct Primary<'a> {
    rows: Vec<Vec<f32>>,
    sequencer: Sequencer<'a>,
    /// All frames so far; sequence `i + 1` at `i`.
    frames: Vec<Vec<u8>>,
}

impl Primary<'_> {
    fn write(&mut self, slot: usize, new: Vec<f32>) {
        let mut out = vec![0; Sequencer::update_size_max(&new, &[])];
        let (old, slot_field) = (&self.rows[slot], u32::try_from(slot).unwrap());
        let prepared = self
            .sequencer
            .prepare_update(slot_field, old, &new, &[], &mut out, None)
            .unwrap();
        let header = prepared.header;
        out.truncate(header.payload_size as usize);
        self.frames.push([&header.to_bytes()[..], &out].concat());
        self.sequencer.commit(prepared);
        self.rows[slot] = new;
    }

    fn attack(&mut self, attack: Attack, random: &mut Random) {
        let slot = random.below(SLOTS);
        let mut new = self.rows[slot].clone();
        let lane = random.below(DIM);
        match attack {
            Attack::Honest | Attack::Noise => new[lane] = 0.01,
            Attack::Huge => new[lane] = 1e30,
            Attack::Oscillation => new[lane] = if new[lane] > 0.0 { -0.9 } else { 0.9 },
            Attack::NanStorm => new.fill(f32::from_bits(0x7fc0_1234)),
            Attack::Flood => {
                for _ in 0..50 {
                    new[lane] = if new[lane] == 0.0 { 0.1 } else { 0.0 };
                    self.write(slot, new.clone());
                }
            }
        }
        self.write(slot, new);
    }
}

/// The replica as the attacked primary knows it: from a snapshot, which takes hostile rows too.
fn snapshot(store: &mut SliceStore<'_>, primary: &Primary<'_>) -> Position {
    for (slot, row) in (0..).zip(&primary.rows) {
        store.row_mut(slot).copy_from_slice(row);
        let last = primary.frames.iter().rev().find_map(|frame| {
            let record = Record::parse(frame).unwrap();
            let Payload::Update(vector) = record.payload() else {
                return None;
            };
            (vector.slot() == slot).then_some(record.header().sequence)
        });
        store.set_last_sequence(slot, last.unwrap_or(0));
    }
    primary.sequencer.position()
}

fn run(config: GateConfig, seed: u64) -> (u64, u64, u64) {
    let mut random = Random(seed);
    let mut memory = Memory::new(DIM, SLOTS, 0);
    let mut store = memory.store_with_base(&[0.0; DIM * SLOTS]);
    let mut slots = [SlotState::default(); SLOTS];
    let slot_count = u32::try_from(SLOTS).unwrap();
    let dim = u32::try_from(DIM).unwrap();
    let mut primary = Primary {
        rows: vec![vec![0.0; DIM]; SLOTS],
        sequencer: Sequencer::new(dim, &mut slots, slot_count, Position::START),
        frames: vec![],
    };
    let mut scratch = vec![0; Applier::scratch_size_max(dim)];
    let mut applier = Applier::new(Position::START, &mut scratch);
    let mut gate = Gate::new(config).unwrap();
    let (mut now_us, mut refused) = (0, 0);
    for _ in 0..INPUTS {
        let attack = ATTACKS[random.below(ATTACKS.len())];
        primary.attack(attack, &mut random);
        if matches!(attack, Attack::Noise) {
            let mut noisy = primary.frames.last().unwrap().clone();
            let at = random.below(noisy.len());
            noisy[at] ^= 1 << random.below(8);
            assert!(Record::parse(&noisy).is_err(), "damage is found");
            refused += 1;
        }
        // The stream is read on from the replica's position, for a bounded time.
        for _ in 0..60 {
            let next = usize::try_from(applier.current_position().sequence).unwrap();
            let Some(frame) = primary.frames.get(next) else {
                break;
            };
            let record = Record::parse(frame).unwrap();
            let before = (applier.current_position(), bits_of(store.rows()));
            let result = applier.apply_gated(&record, &mut store, &mut gate);
            let after = (applier.current_position(), bits_of(store.rows()));
            assert_eq!(after.0.digest, state_digest(&store), "never diverged");
            match result {
                Ok(GatedOutcome::Passed(outcome)) => {
                    assert_eq!(outcome, Outcome::Applied, "never skipped");
                    assert_eq!(after.0.sequence, before.0.sequence + 1);
                }
                Ok(GatedOutcome::Held(_)) => {
                    assert_eq!(before, after);
                    now_us += 1_000;
                    gate.advance(now_us);
                }
                Err(GatedError::Quarantined(_)) => {
                    assert_eq!(before, after);
                    let position = snapshot(&mut store, &primary);
                    applier = Applier::new(position, &mut scratch);
                    gate.release();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    // It calms down: the replica catches up and is identical.
    while applier.current_position() != primary.sequencer.position() {
        let next = usize::try_from(applier.current_position().sequence).unwrap();
        let record = Record::parse(&primary.frames[next]).unwrap();
        now_us += 1_000;
        gate.advance(now_us);
        if let Err(GatedError::Quarantined(_)) = applier.apply_gated(&record, &mut store, &mut gate)
        {
            applier = Applier::new(snapshot(&mut store, &primary), &mut scratch);
            gate.release();
        }
    }
    assert_eq!(bits_of(store.rows()), bits_of(&primary.rows.concat()));
    let counts = gate.counts();
    (counts.held, counts.quarantined, refused)
}

#[test]
fn a_gated_replica_survives_a_thousand_adversarial_inputs() {
    for (seed, config) in (0..).zip([GateConfig::BALANCED, GateConfig::STRICT]) {
        let tight = GateConfig {
            patience_ticks: 20,
            ..config
        };
        let (held, quarantined, refused) = run(tight, seed);
        assert!(
            held > 0 && quarantined > 0 && refused > 0,
            "{held} {quarantined} {refused}"
        );
    }
}

#[test]
fn a_primary_asks_the_gate_before_it_numbers_a_change() {
    let mut gate = Gate::new(GateConfig::BALANCED).unwrap();
    let old = [0.0; DIM];
    let mut new = old;
    new[3] = 0.5;
    let step = crate::pipeline::gate::Step::between(&old, &new);
    assert_eq!((step.changed, step.square_norm_max), (1, 0.25));
    assert_eq!(gate.assess(&step), Verdict::Apply);
    new[3] = f32::NAN;
    let step = crate::pipeline::gate::Step::between(&old, &new);
    assert!(step.square_norm_max.is_nan());
    assert!(matches!(gate.assess(&step), Verdict::Quarantine(_)));
}

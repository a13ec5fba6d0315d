//! A tutorial: a gate in front of a replica, and what its verdicts mean.
//!
//! A replica that serves searches should not be carried away by a writer that went wrong. The gate
//! looks at every record before it is applied: it passes, waits, or a snapshot is asked for.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use delta_core::pipeline::apply::{Applier, Outcome};
use delta_core::pipeline::counters::Counters;
use delta_core::pipeline::gate::{
    Gate, GateConfig, GatedError, GatedOutcome, Hold, LocalViolation, Quarantine, Step, Verdict,
    ViolationResistance,
};
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::store::{SliceMemory, SliceStore, Slot, state_digest};

const DIM: u32 = 4;

/// A writer of one row.
struct Writer<'a> {
    sequencer: Sequencer<'a>,
    row: [f32; 4],
    payload: [u8; 64],
}

impl Writer<'_> {
    /// The record that moves the row by `step` in its first component.
    fn step(&mut self, step: f32) -> Record<'_> {
        let mut next = self.row;
        next[0] += step;
        let prepared = self
            .sequencer
            .prepare_update(0, &self.row, &next, &[], &mut self.payload, None)
            .unwrap();
        let header = prepared.header;
        self.sequencer.commit(prepared);
        self.row = next;
        Record::with_header(header, &self.payload[..header.payload_size as usize]).unwrap()
    }
}

#[test]
fn a_gate_passes_holds_and_quarantines() {
    let base = [0.5; 4];
    let (mut rows, mut slots) = (base, [Slot::default(); 1]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut [],
    };
    let mut store = SliceStore::with_base(DIM, 1, memory);
    let start = Position {
        digest: state_digest(&store),
        ..Position::START
    };
    let mut states = [SlotState::default(); 1];
    let mut writer = Writer {
        sequencer: Sequencer::new(DIM, &mut states, 1, start),
        row: base,
        payload: [0; 64],
    };
    let counters = Counters::default();
    let mut scratch = [0; 16];
    let mut applier = Applier::new(start, &mut scratch).with_counters(&counters);

    // Energy for two records a millisecond, so that this is short.
    let config = GateConfig {
        resistance: ViolationResistance {
            energy_per_tick: 8,
            ..GateConfig::BALANCED.resistance
        },
        ..GateConfig::BALANCED
    };
    let mut gate = Gate::new(config).unwrap();
    gate.advance(0);

    // Small steps pass while there is energy.
    let passed = Ok(GatedOutcome::Passed(Outcome::Applied));
    for _ in 0..2 {
        let record = writer.step(0.01);
        assert_eq!(applier.apply_gated(&record, &mut store, &mut gate), passed);
    }

    // The third waits: the position stays, and the same record is offered again a tick later.
    let record = writer.step(0.01);
    let held = applier.apply_gated(&record, &mut store, &mut gate);
    assert!(matches!(
        held,
        Ok(GatedOutcome::Held(Hold::Energy { left: 0, .. }))
    ));
    assert_eq!(applier.current_position().sequence, 2);
    gate.advance(1_000);
    assert_eq!(applier.apply_gated(&record, &mut store, &mut gate), passed);
    let counted = counters.snapshot();
    assert_eq!((counted.records, counted.held), (3, 1));

    // A step that no row takes at once is refused for good: the replica needs a snapshot.
    let record = writer.step(1_000.0);
    let refused = applier.apply_gated(&record, &mut store, &mut gate);
    let Err(GatedError::Quarantined(Quarantine::Local(violation))) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(violation, LocalViolation::Norm { .. }));
    assert_eq!(applier.current_position().sequence, 3, "never skipped");

    // The operator looks at it, takes a snapshot of the writer, and opens the gate again.
    let (mut rows, mut slots) = (writer.row, [Slot::default(); 1]);
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut slots,
        attributes: &mut [],
    };
    let store = SliceStore::with_base(DIM, 1, memory);
    assert_eq!(state_digest(&store), writer.sequencer.position().digest);
    gate.release();
    assert_eq!(gate.quarantine(), None);
}

#[test]
fn a_writer_asks_a_gate_before_it_numbers_a_change() {
    let mut gate = Gate::new(GateConfig::STRICT).unwrap();
    let (old, near, far) = ([0.0; 4], [0.1; 4], [9.0; 4]);
    let step = Step::between(&old, &near);
    assert_eq!(gate.assess(&step), Verdict::Apply);
    gate.commit(&step);
    // Nothing was sent, so nothing has to be repaired.
    let verdict = gate.assess(&Step::between(&near, &far));
    let refused = matches!(verdict, Verdict::Quarantine(_));
    assert!(refused, "{verdict:?}");
}

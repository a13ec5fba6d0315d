//! The four properties, each by its type.

use crate::pipeline::gate::{
    Band, ClosurePreference, Coherence, Disturbance, Gate, GateConfig, GateConfigError,
    GlobalPreservation, Hold, LocalChange, LocalViolation, Quarantine, Step, Verdict,
    ViolationResistance,
};

const SMALL: Step = Step {
    payload_size: 64,
    changed: 4,
    square_norm_max: 0.0,
    rows: 1,
};

fn step(square_norm_max: f32) -> Step {
    Step {
        square_norm_max,
        ..SMALL
    }
}

/// A coherence that the test sets; a step takes its squared norm away.
#[derive(Clone, Debug)]
struct Dial(f32);

impl Coherence for Dial {
    fn current(&self) -> f32 {
        self.0
    }
    fn after(&self, step: &Step) -> f32 {
        self.0 - step.square_norm_max
    }
    fn commit(&mut self, step: &Step) {
        self.0 -= step.square_norm_max;
    }
    fn rest(&mut self, _: u32) {}
    fn reset(&mut self) {
        self.0 = 1.0;
    }
}

fn dial(at: f32) -> Gate<Dial> {
    let config = GateConfig {
        preservation: GlobalPreservation::SEED,
        ..GateConfig::OPEN
    };
    Gate::with_coherence(config, Dial(at)).unwrap()
}

#[test]
fn an_open_gate_lets_anything_pass() {
    let mut gate = Gate::new(GateConfig::OPEN).unwrap();
    let huge = Step {
        payload_size: u32::MAX,
        changed: u32::MAX,
        square_norm_max: f32::NAN,
        rows: u32::MAX,
    };
    for step in [huge, SMALL, Step::default()] {
        for _ in 0..100 {
            assert_eq!(gate.assess(&step), Verdict::Apply);
            gate.commit(&step);
        }
    }
    assert_eq!(gate.counts().applied, 300);
    assert_eq!((gate.counts().held, gate.counts().quarantined), (0, 0));
    assert!(!gate.wants_compaction());
}

#[test]
fn local_change_refuses_each_limit_and_stays_closed() {
    let local = LocalChange {
        payload_size_max: 100,
        changed_max: 10,
        square_norm_max: 4.0,
    };
    let at_the_limits = Step {
        payload_size: 100,
        changed: 10,
        square_norm_max: 4.0,
        rows: 1,
    };
    let mut beyond = [at_the_limits; 4];
    beyond[0].payload_size = 101;
    beyond[1].changed = 11;
    beyond[2].square_norm_max = 4.001;
    beyond[3].square_norm_max = f32::NAN;
    for step in beyond {
        let config = GateConfig {
            local,
            ..GateConfig::OPEN
        };
        let mut gate = Gate::new(config).unwrap();
        assert_eq!(gate.assess(&at_the_limits), Verdict::Apply);
        let verdict = gate.assess(&step);
        let Verdict::Quarantine(Quarantine::Local(violation)) = verdict else {
            panic!("{verdict:?}");
        };
        match violation {
            LocalViolation::PayloadSize { found, max } => assert_eq!((found, max), (101, 100)),
            LocalViolation::Changed { found, max } => assert_eq!((found, max), (11, 10)),
            LocalViolation::Norm { found, max } => {
                assert!(max == 4.0 && (found.is_nan() || found > 4.0));
            }
        }
        // Only a snapshot opens it again.
        assert!(matches!(gate.assess(&SMALL), Verdict::Quarantine(_)));
        gate.release();
        assert_eq!(gate.assess(&SMALL), Verdict::Apply);
    }
}

#[test]
fn global_preservation_blocks_at_the_least_and_waits_for_recovery() {
    let mut gate = dial(0.35);
    let waits_for_recovery = |verdict| match verdict {
        Verdict::Hold(Hold::Coherence { needed, .. }) => (needed - 0.5_f32).abs() < 1e-6,
        _ => false,
    };
    assert_eq!(gate.assess(&step(0.04)), Verdict::Apply);
    assert!(waits_for_recovery(gate.assess(&step(0.06))));
    // Hysteresis: what would have passed before the block waits, too, until 0.5 is reached.
    assert!(waits_for_recovery(gate.assess(&step(0.01))));
    let mut recovering = dial(0.25);
    assert!(waits_for_recovery(recovering.assess(&step(0.0))));
    for (coherence, passes) in [(0.31, false), (0.49, false), (0.51, true), (0.49, true)] {
        let mut next = dial(coherence);
        assert_eq!(next.assess(&step(0.01)), Verdict::Apply);
        recovering = with_coherence(recovering, coherence);
        assert_eq!(recovering.assess(&step(0.01)) == Verdict::Apply, passes);
    }
    assert!(gate.counts().held == 2 && gate.counts().applied == 0);
}

/// The same gate when coherence has become something else.
fn with_coherence(mut gate: Gate<Dial>, coherence: f32) -> Gate<Dial> {
    let now = gate.coherence();
    // Committed, not assessed: the dial moves by the difference.
    gate.commit(&step(now - coherence));
    gate
}

#[test]
fn global_preservation_lets_coherence_fall_by_a_tenth_at_most() {
    let mut gate = dial(0.9);
    assert!(matches!(
        gate.assess(&step(0.11)),
        Verdict::Hold(Hold::Coherence { .. })
    ));
    // That is no block: smaller ones pass.
    assert_eq!(gate.assess(&step(0.09)), Verdict::Apply);
}

#[test]
fn global_preservation_makes_deltas_dearer_below_its_target() {
    let cost_at = |coherence: f32| {
        let config = GateConfig {
            preservation: GlobalPreservation::SEED,
            resistance: ViolationResistance {
                energy_per_tick: 100,
                ..ViolationResistance::ANY
            },
            ..GateConfig::OPEN
        };
        let mut gate = Gate::with_coherence(config, Dial(coherence)).unwrap();
        let mut passed = 0;
        while gate.assess(&SMALL) == Verdict::Apply {
            gate.commit(&SMALL);
            passed += 1;
        }
        assert_eq!(
            gate.counts().throttled,
            if coherence < 0.8 { passed } else { 0 }
        );
        100 / passed
    };
    // 4 for the delta and 1 for its 64 bytes: 5, 10, 20 each.
    assert_eq!([0.9, 0.7, 0.4].map(cost_at), [5, 10, 20]);
}

#[test]
fn disturbance_falls_with_storms_and_recovers_with_time() {
    let mut measure = Disturbance::default();
    for _ in 0..100 {
        let before = measure.current();
        measure.commit(&step(f32::NAN));
        assert!(measure.current() < before || before < 0.01);
        assert!(
            before - measure.current() <= 0.1,
            "no single step falls steeply"
        );
    }
    assert!(measure.current() < 0.01);
    measure.rest(1);
    assert!((0.49..0.51).contains(&measure.current()));
    measure.rest(u32::MAX);
    assert!(measure.current() > 0.999);
    assert_eq!(Disturbance::new(0.0), Err(GateConfigError::Thresholds));
    assert_eq!(Disturbance::new(f32::NAN), Err(GateConfigError::Thresholds));
}

#[test]
fn violation_resistance_gives_a_tick_so_much_energy() {
    let resistance = ViolationResistance {
        energy_per_tick: 20,
        ..ViolationResistance::ANY
    };
    let config = GateConfig {
        resistance,
        ..GateConfig::OPEN
    };
    let mut gate = Gate::new(config).unwrap();
    gate.advance(10_000);
    let passed_in_tick = |gate: &mut Gate| {
        let mut passed = 0;
        while gate.assess(&SMALL) == Verdict::Apply {
            gate.commit(&SMALL);
            passed += 1;
        }
        assert_eq!(
            gate.assess(&SMALL),
            Verdict::Hold(Hold::Energy { cost: 5, left: 0 })
        );
        passed
    };
    assert_eq!(passed_in_tick(&mut gate), 4);
    gate.advance(10_999);
    assert!(
        matches!(gate.assess(&SMALL), Verdict::Hold(_)),
        "the tick is not over"
    );
    gate.advance(11_000);
    assert_eq!(passed_in_tick(&mut gate), 4);
    // Time that stands still or goes back brings nothing; long rest brings two ticks' energy.
    gate.advance(5);
    assert!(matches!(gate.assess(&SMALL), Verdict::Hold(_)));
    gate.advance(1 << 40);
    assert_eq!(passed_in_tick(&mut gate), 8);
    // A delta dearer than two ticks passes alone.
    let dear = Step {
        payload_size: 1 << 20,
        ..SMALL
    };
    assert!(matches!(
        gate.assess(&dear),
        Verdict::Hold(Hold::Energy { .. })
    ));
    gate.advance((1 << 40) + 2_000);
    assert_eq!(gate.assess(&dear), Verdict::Apply);
    gate.commit(&dear);
    assert!(matches!(gate.assess(&SMALL), Verdict::Hold(_)));
    // Control records cost nothing.
    assert_eq!(gate.assess(&Step::default()), Verdict::Apply);
}

#[test]
fn violation_resistance_limits_each_band() {
    let band = |energy_max, deltas_per_tick| Band {
        energy_max,
        deltas_per_tick,
    };
    let resistance = ViolationResistance {
        bands: [band(5, 3), band(10, 2), band(20, 1)],
        ..ViolationResistance::ANY
    };
    let config = GateConfig {
        resistance,
        ..GateConfig::OPEN
    };
    let mut gate = Gate::new(config).unwrap();
    gate.advance(0);
    for (payload_size, passes, band) in [(64, 3, 0), (384, 2, 1), (6_400, 1, 2)] {
        let step = Step {
            payload_size,
            ..SMALL
        };
        for _ in 0..passes {
            assert_eq!(gate.assess(&step), Verdict::Apply);
            gate.commit(&step);
        }
        assert_eq!(gate.assess(&step), Verdict::Hold(Hold::Band { band }));
    }
    gate.advance(1_000);
    assert_eq!(gate.assess(&SMALL), Verdict::Apply);
}

#[test]
fn patience_ends_in_quarantine() {
    let config = GateConfig {
        preservation: GlobalPreservation::SEED,
        patience_ticks: 3,
        ..GateConfig::OPEN
    };
    let mut gate = Gate::with_coherence(config, Dial(0.2)).unwrap();
    gate.advance(0);
    for tick in 1..=3 {
        assert!(matches!(gate.assess(&SMALL), Verdict::Hold(_)));
        gate.advance(tick * 1_000);
    }
    assert!(matches!(
        gate.assess(&SMALL),
        Verdict::Quarantine(Quarantine::Patience(Hold::Coherence { .. }))
    ));
    assert!(gate.quarantine().is_some());
    gate.release();
    assert_eq!(
        (gate.assess(&SMALL), gate.coherence()),
        (Verdict::Apply, 1.0)
    );
}

#[test]
fn closure_asks_for_compaction_when_much_has_piled_up() {
    let due_after = |closure, step: Step| {
        let config = GateConfig {
            closure,
            ..GateConfig::OPEN
        };
        let mut gate = Gate::new(config).unwrap();
        let mut deltas = 0;
        while !gate.wants_compaction() {
            gate.commit(&step);
            deltas += 1;
        }
        gate.compacted();
        assert!(!gate.wants_compaction());
        deltas
    };
    let closure = ClosurePreference {
        records_max: 7,
        bytes_max: 640,
    };
    assert_eq!(due_after(closure, SMALL), 7);
    let large = Step {
        payload_size: 320,
        ..SMALL
    };
    assert_eq!(due_after(closure, large), 2);
}

#[test]
fn impossible_configurations_are_refused() {
    let refused = |change: fn(&mut GateConfig)| {
        let mut config = GateConfig::BALANCED;
        assert!(Gate::new(config).is_ok());
        change(&mut config);
        Gate::new(config).unwrap_err()
    };
    use GateConfigError::{Bands, Patience, Thresholds, Tick};
    assert_eq!(refused(|c| c.preservation.min = -0.1), Thresholds);
    assert_eq!(refused(|c| c.preservation.min = 0.6), Thresholds);
    assert_eq!(refused(|c| c.preservation.target = 1.1), Thresholds);
    assert_eq!(refused(|c| c.preservation.recovery = 0.8), Thresholds);
    assert_eq!(refused(|c| c.preservation.drop_max = f32::NAN), Thresholds);
    assert_eq!(refused(|c| c.resistance.tick_us = 0), Tick);
    assert_eq!(refused(|c| c.resistance.energy_per_tick = 0), Tick);
    assert_eq!(refused(|c| c.resistance.bands.reverse()), Bands);
    assert_eq!(
        refused(|c| c.resistance.bands[1].deltas_per_tick = 0),
        Bands
    );
    assert_eq!(refused(|c| c.patience_ticks = 0), Patience);
}

//! Forked batches against one applier; readers at the ends of batches.
#![expect(
    clippy::cast_precision_loss,
    reason = "the numbers of these tests are small"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use delta_core::header::{DeltaHeader, HEADER_SIZE, Operation};
use delta_core::payload::metadata::MetadataEdit;
use delta_core::pipeline::apply::{ApplyError, Refusal};
use delta_core::pipeline::sequencer::{Position, Prepared, Sequencer, SlotState};

use super::plan::{Costs, speedup};
use super::{ParallelError, ShardedReplica, run};

const DIM: usize = 48;

/// A primary that writes frames.
struct Writer<'a> {
    sequencer: Sequencer<'a>,
    rows: Vec<Vec<f32>>,
    frames: Vec<u8>,
    seed: u64,
}

impl Writer<'_> {
    fn random(&mut self, bound: usize) -> usize {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) as usize % bound
    }

    fn send(&mut self, prepare: impl FnOnce(&Sequencer<'_>, &mut [u8]) -> Prepared) {
        let mut out = [0; 4 * DIM + 400];
        let prepared = prepare(&self.sequencer, &mut out);
        self.frames.extend(prepared.header.to_bytes());
        self.frames
            .extend(&out[..prepared.header.payload_size as usize]);
        self.sequencer.commit(prepared);
    }

    fn insert(&mut self) {
        let row = vec![self.rows.len() as f32; DIM];
        let id = self.rows.len().to_le_bytes();
        self.send(|sequencer, out| sequencer.prepare_insert(&id, &row, &[], out, None).unwrap());
        self.rows.push(row);
    }

    /// Sets `count` components of a row to `value`.
    fn update(&mut self, slot: usize, count: usize, value: f32, tagged: bool) {
        let mut new = self.rows[slot].clone();
        for component in new.iter_mut().take(count) {
            *component = value;
        }
        let (old, slot_field) = (self.rows[slot].clone(), u32::try_from(slot).unwrap());
        let value = self.sequencer.position().sequence.to_le_bytes();
        let key = self.sequencer.position().sequence.to_be_bytes();
        let edit = [MetadataEdit {
            key: &key,
            old: None,
            new: Some(&value),
        }];
        let edits = if tagged { &edit[..] } else { &[] };
        self.send(|sequencer, out| {
            sequencer
                .prepare_update(slot_field, &old, &new, edits, out, None)
                .unwrap()
        });
        self.rows[slot] = new;
    }

    /// What a store does: mostly updates, of few rows often.
    fn write(&mut self, events: usize) {
        for _ in 0..events {
            let slots = self.rows.len();
            match self.random(40) {
                0 => self.insert(),
                1 => {
                    let slot = self.random(slots);
                    self.update(slot, 1, 7.0, true);
                }
                dice => {
                    let slot = self.random(if dice < 10 { 3 } else { slots });
                    let (count, value) = (1 + self.random(DIM), self.random(1_000) as f32);
                    self.update(slot, count, value, false);
                }
            }
        }
    }
}

fn writer(slots: &mut [SlotState]) -> Writer<'_> {
    let dim = u32::try_from(DIM).unwrap();
    let mut writer = Writer {
        sequencer: Sequencer::new(dim, slots, 0, Position::START),
        rows: vec![],
        frames: vec![],
        seed: 9,
    };
    for _ in 0..20 {
        writer.insert();
    }
    writer
}

fn assert_equal(replica: &ShardedReplica, writer: &Writer<'_>) {
    let view = replica.read();
    assert_eq!(view.position(), writer.sequencer.position());
    assert_eq!(view.slot_count() as usize, writer.rows.len());
    for (slot, row) in (0..).zip(&writer.rows) {
        assert_eq!(view.row(slot), Some(&row[..]));
    }
}

#[test]
fn any_number_of_workers_gives_the_same_state() {
    for workers in 1..=4 {
        let mut slots = vec![SlotState::default(); 1_000];
        let mut writer = writer(&mut slots);
        let dim = u32::try_from(DIM).unwrap();
        let replica = ShardedReplica::new(dim, 1_000, workers, Position::START).unwrap();
        let forked = run(&replica, |session| {
            let mut forked = 0;
            for batch in 0..12 {
                writer.write(60 * batch);
                let (result, mut memory) = session.apply_batch(std::mem::take(&mut writer.frames));
                forked += result.unwrap().forked;
                memory.clear();
                writer.frames = memory;
                assert_equal(&replica, &writer);
            }
            forked
        });
        assert_eq!(forked.unwrap() > 0, workers > 1);
    }
}

#[test]
fn a_refused_record_stops_the_batch_and_nothing_behind_it_is_applied() {
    let dim = u32::try_from(DIM).unwrap();
    let mut slots = vec![SlotState::default(); 100];
    let mut writer = writer(&mut slots);
    for slot in 0..20 {
        writer.update(slot, 5, 1.0, false);
    }
    let (sound, good) = (writer.frames.len(), writer.sequencer.position());
    let mut expected = writer.rows.clone();
    for slot in 0..20 {
        writer.update(slot, 5, 2.0, false);
    }
    let replica = ShardedReplica::new(dim, 100, 3, Position::START).unwrap();
    run(&replica, |session| {
        // A component of the eleventh of the last twenty is another, under a fitting checksum.
        let mut frames = writer.frames.clone();
        let header_at = |frames: &[u8], at: usize| {
            DeltaHeader::parse(frames[at..].first_chunk().unwrap()).unwrap()
        };
        let mut at = sound;
        for _ in 0..10 {
            at += 64 + header_at(&frames, at).payload_size as usize;
        }
        let header = header_at(&frames, at);
        let payload_size = header.payload_size as usize;
        let size = 64 + payload_size;
        frames[at + 64 + payload_size - 2] ^= 1;
        let payload = &frames[at + 64..at + 64 + payload_size];
        let header = header.seal(payload).unwrap().to_bytes();
        frames[at..at + 64].copy_from_slice(&header);
        let (result, _) = session.apply_batch(frames);
        let Err(ParallelError::Apply(error)) = result else {
            panic!("{result:?}");
        };
        assert!(matches!(error.reason, Refusal::Diverged { .. }));
        assert_eq!(error.sequence, good.sequence + 11);
        let view = replica.read();
        assert_eq!(view.position().sequence, good.sequence + 10);
        for row in expected.iter_mut().take(10) {
            row[..5].fill(2.0);
        }
        for (slot, row) in (0..).zip(&expected) {
            assert_eq!(view.row(slot), Some(&row[..]));
        }
        drop(view);
        // What is cut off is named by its place.
        let mut frames = writer.frames[at..].to_vec();
        frames.truncate(size + 30);
        let (result, _) = session.apply_batch(frames);
        assert!(matches!(result, Err(ParallelError::Frame { offset, .. }) if offset == size));
        assert_eq!(replica.read().position().sequence, good.sequence + 11);
        // And the rest is taken as it is.
        let rest = writer.frames[at + size..].to_vec();
        assert_eq!(session.apply_batch(rest).0.unwrap().applied, 9);
        assert_equal(&replica, &writer);
    })
    .unwrap();
}

/// The frames of `batch`, changed by `change`, which is given their places, and sealed anew.
fn altered(batch: &[u8], change: impl Fn(usize, &mut DeltaHeader, &mut Vec<u8>)) -> Vec<u8> {
    let (mut rest, mut frames) = (batch, Vec::new());
    for place in 0.. {
        let Some((header, behind)) = rest.split_first_chunk::<HEADER_SIZE>() else {
            break;
        };
        let mut header = DeltaHeader::parse(header).unwrap();
        let (payload, behind) = behind.split_at(header.payload_size as usize);
        let mut payload = payload.to_vec();
        change(place, &mut header, &mut payload);
        frames.extend(header.seal(&payload).unwrap().to_bytes());
        frames.extend(payload);
        rest = behind;
    }
    frames
}

/// Why workers, as many as given, refuse `frames` behind the twenty inserts.
fn refusal(workers: u32, frames: &[u8]) -> (ApplyError, Position) {
    let dim = u32::try_from(DIM).unwrap();
    let replica = ShardedReplica::new(dim, 100, workers, Position::START).unwrap();
    let (result, _) = run(&replica, |session| session.apply_batch(frames.to_vec())).unwrap();
    let Err(ParallelError::Apply(error)) = result else {
        panic!("{workers} workers: {result:?}");
    };
    (error, replica.read().position())
}

#[test]
fn forks_refuse_what_one_worker_refuses() {
    let mut slots = vec![SlotState::default(); 100];
    let mut writer = writer(&mut slots);
    for slot in 0..10 {
        writer.update(slot, 5, 1.0, false);
    }
    let third = 22;
    // Slot 0 of type f32: the first place of axis 0 is cleared.
    let tensor_clear = [0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    let of_tensor = altered(&writer.frames, |place, header, payload| {
        header.state_digest = None;
        if place == third {
            *header = DeltaHeader::new(Operation::Update, header.sequence, header.epoch);
            header.tensor = true;
            *payload = tensor_clear.to_vec();
        }
    });
    // Drift that the last record of the fork does not show.
    let drifted = altered(&writer.frames, |place, header, _| {
        header.state_digest = match place {
            0..=21 => header.state_digest,
            22 => Some(1),
            _ => None,
        };
    });
    let reason = |frames: &[u8]| {
        let alone = refusal(1, frames);
        assert_eq!(alone.0.sequence, third as u64 + 1);
        assert_eq!(refusal(2, frames), alone);
        alone.0.reason
    };
    assert_eq!(reason(&of_tensor), Refusal::TensorRecord);
    assert!(matches!(reason(&drifted), Refusal::Diverged { .. }));
}

#[test]
fn a_reader_never_sees_half_of_a_batch() {
    let dim = u32::try_from(DIM).unwrap();
    let mut slots = vec![SlotState::default(); 100];
    let mut writer = writer(&mut slots);
    let replica = ShardedReplica::new(dim, 100, 3, Position::START).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut looks, mut last) = (0_u32, 0);
            while !done.load(Ordering::Acquire) || looks < 10 {
                let view = replica.read();
                let position = view.position().sequence;
                assert!(position >= last);
                last = position;
                // Every batch sets all rows to the same value: a search would find equal distances.
                let mut rows = (0..view.slot_count()).filter_map(|slot| view.row(slot));
                if let Some(first) = rows.next() {
                    assert!(
                        rows.all(|row| row == first),
                        "half of a batch at {position}"
                    );
                }
                looks += 1;
            }
            looks
        });
        run(&replica, |session| {
            for value in 0..200_u8 {
                for slot in 0..20 {
                    writer.update(slot, DIM, f32::from(value), false);
                }
                let frames = std::mem::take(&mut writer.frames);
                session.apply_batch(frames).0.unwrap();
            }
        })
        .unwrap();
        done.store(true, Ordering::Release);
        assert!(reader.join().unwrap() >= 10);
    });
    assert_equal(&replica, &writer);
}

#[test]
fn more_workers_help_as_long_as_memory_and_routing_do() {
    let costs = Costs {
        record_ns: 2_000,
        route_ns: 30,
        wake_ns: 5_000,
        memory_share_max: 64,
    };
    assert!((speedup(1, 1_000, &costs) - 1.0).abs() < 1e-9);
    let by_cores: Vec<f64> = [1, 2, 4, 8, 16].map(|w| speedup(w, 4_000, &costs)).to_vec();
    assert!(
        by_cores.windows(2).all(|pair| pair[0] < pair[1]),
        "{by_cores:?}"
    );
    assert!((1..=16).all(|w| speedup(w, 4_000, &costs) <= w as f64));
    // Routing alone bounds it in the end.
    assert!(speedup(1_000, 1_000_000, &costs) < 2_000.0 / 30.0 + 1.0);
}

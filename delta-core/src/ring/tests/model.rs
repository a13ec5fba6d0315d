//! Random programs on a ring, beside a queue that says what must come of them.
use super::{Memory, check, fill, geometry, header};
use crate::ring::{Consumer, Geometry, Mem, Producer, ReserveError};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec::Vec;

/// What a program may do with a ring.
#[derive(Clone, Debug)]
enum Step {
    /// Reserve, then commit with as many bytes, or abort.
    Single(usize, Option<usize>),
    /// The same for each record of a batch, then publish or abort it.
    Batch(Vec<(usize, Option<usize>)>, bool),
    /// Poll, and mark as done or not.
    Poll(bool),
    Release,
}

fn record(max: usize) -> impl Strategy<Value = (usize, Option<usize>)> {
    (0..=max, 0..=max, any::<u8>()).prop_map(|(a, b, roll)| {
        let (len, used) = (a.max(b), a.min(b));
        (len, (roll % 8 != 0).then_some(used))
    })
}

fn step(max: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => record(max).prop_map(|(len, used)| Step::Single(len, used)),
        1 => (prop::collection::vec(record(max), 0..6), any::<bool>())
            .prop_map(|(records, publish)| Step::Batch(records, publish)),
        5 => any::<u8>().prop_map(|roll| Step::Poll(roll % 4 != 0)),
        1 => Just(Step::Release),
    ]
}

fn program() -> impl Strategy<Value = (Geometry, u32, Vec<Step>)> {
    let slots = prop_oneof![Just(2_u32), Just(4), Just(8)];
    let payload = prop_oneof![Just(16_u32), Just(48), Just(64), Just(256)];
    let position = prop_oneof![Just(0), u32::MAX - 20..=u32::MAX, any::<u32>()];
    (slots, payload, position).prop_flat_map(|(slots, payload, position)| {
        let geometry = geometry(slots, payload);
        let steps = prop::collection::vec(step(payload as usize / 2), 1..200);
        (Just(geometry), Just(position), steps)
    })
}

/// The queue that a ring is: number and size of the records that are published and not consumed.
#[derive(Default)]
struct Model {
    queue: VecDeque<(u32, usize)>,
    numbers: u32,
    /// Consumed records that may not be released yet.
    held: usize,
}

impl Model {
    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// A refusal must be `Full`, and have a reason: something is unreleased.
    fn check_full(&self, error: ReserveError, pending: usize) {
        let ReserveError::Full { unreleased, .. } = error else {
            panic!("{error}")
        };
        let unconsumed = self.queue.len() + pending;
        let unreleased = unreleased as usize;
        assert!(unreleased > 0, "full though nothing is unreleased");
        assert!(
            (unconsumed..=unconsumed + self.held).contains(&unreleased),
            "{unreleased}"
        );
    }

    fn single<M: Mem>(&mut self, producer: &mut Producer<M>, len: usize, used: Option<usize>) {
        let number = self.number();
        match (producer.reserve(len), used) {
            (Ok(mut grant), Some(used)) => {
                fill(grant.payload_mut(), number);
                grant.commit(&header(number, used)).unwrap();
                self.queue.push_back((number, used));
            }
            (Ok(mut grant), None) => grant.payload_mut().fill(0xff),
            (Err(error), _) => self.check_full(error, 0),
        }
    }

    fn batch<M: Mem>(
        &mut self,
        producer: &mut Producer<M>,
        records: &[(usize, Option<usize>)],
        publish: bool,
    ) {
        let mut batch = producer.batch();
        let mut pending = Vec::new();
        for &(len, used) in records {
            let number = self.number();
            match (batch.reserve(len), used) {
                (Ok(mut grant), Some(used)) => {
                    fill(grant.payload_mut(), number);
                    grant.commit(&header(number, used)).unwrap();
                    pending.push((number, used));
                }
                (Ok(mut grant), None) => grant.payload_mut().fill(0xff),
                (Err(error), _) => self.check_full(error, pending.len()),
            }
        }
        assert_eq!(batch.len() as usize, pending.len());
        if publish {
            batch.publish();
            self.queue.extend(pending);
        }
    }

    fn poll<M: Mem>(&mut self, consumer: &mut Consumer<M>, done: bool) {
        let received = consumer.poll().unwrap();
        let Some(&(number, size)) = self.queue.front() else {
            assert!(received.is_none());
            self.held = 0;
            return;
        };
        let record = received.expect("a record");
        check(&record, number, size);
        if done {
            record.done();
            self.queue.pop_front();
            self.held += 1;
        }
    }
}

proptest! {
    /// Whatever is done with it, a ring is a queue of the committed and published records.
    #[test]
    fn prop_ring_is_a_queue((geometry, position, steps) in program()) {
        let mut memory = Memory::new(geometry);
        let (mut producer, mut consumer) = memory.ring(geometry, position);
        let mut model = Model::default();
        for step in &steps {
            match step {
                Step::Single(len, used) => model.single(&mut producer, *len, *used),
                Step::Batch(records, publish) => model.batch(&mut producer, records, *publish),
                Step::Poll(done) => model.poll(&mut consumer, *done),
                Step::Release => {
                    consumer.release();
                    model.held = 0;
                }
            }
            assert!(model.queue.len() <= geometry.slots() as usize);
        }
        while !model.queue.is_empty() {
            model.poll(&mut consumer, true);
        }
        model.poll(&mut consumer, true);
        // Empty and released: the largest record fits.
        assert!(producer.reserve(geometry.max_payload() as usize).is_ok());
    }
}

use std::convert::Infallible;

use delta_core::graph::{GraphParameters, Shape};
use delta_core::kernel::distance::Metric;
use delta_core::pipeline::sequencer::{Position, Sequencer, SlotState};
use delta_core::record::Record;
use delta_core::ring::{Consumer, StaticRing};

use super::*;
use crate::index::GraphMemory;

pub(super) const SHAPE: Shape = Shape {
    nodes_max: 64,
    degree0_max: 200,
    degree_max: 100,
    upper_blocks_max: 1,
};

/// Lists of one layer.
#[derive(Default)]
pub(super) struct Lists(pub(super) Vec<Vec<u32>>);

impl IndexView for Lists {
    fn level(&self, slot: u32) -> Option<u8> {
        self.0.get(slot as usize).map(|_| 0)
    }

    fn visit_neighbours(&self, _: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        self.0[slot as usize].iter().for_each(|&to| visit(to));
    }

    fn entry(&self) -> Option<u32> {
        (!self.0.is_empty()).then_some(0)
    }
}

impl Lists {
    /// A node linked with all before it.
    pub(super) fn link(&mut self, slot: u32) {
        self.0.iter_mut().for_each(|list| list.push(slot));
        self.0.push((0..slot).collect());
    }
}

pub(super) fn insert<M: Mem>(
    captured: &mut CapturedIndex<'_, Lists, M>,
    runs: &mut u32,
) -> Result<u32, CapturedIndexError<Infallible>> {
    captured.insert(b"id", &[1.0, 2.0], &[], |index, slot| {
        *runs += 1;
        index.link(slot);
        Ok(())
    })
}

fn take<M: Mem>(consumer: &mut Consumer<M>) -> Option<u64> {
    let received = consumer.poll().unwrap()?;
    let record = Record::from_parts(received.header(), received.payload()).unwrap();
    let sequence = record.header().sequence;
    received.done();
    Some(sequence)
}

/// Releases every record.
pub(super) fn drain<M: Mem>(consumer: &mut Consumer<M>) {
    while take(consumer).is_some() {}
}

/// Binds a captured index of no node, in a stream of so many slots, and the other end of its ring.
macro_rules! captured {
    ($captured:ident, $consumer:ident, $ring:expr, $slots:expr) => {
        captured!($captured, $consumer, $ring, $slots, SHAPE, Some(SHAPE));
    };
    ($captured:ident, $consumer:ident, $ring:expr, $slots:expr, $shape:expr, $declared:expr) => {
        let mut ring = $ring;
        #[allow(unused_mut, reason = "not every test takes records out")]
        let (producer, mut $consumer) = ring.split();
        let mut slots = [SlotState::default(); $slots];
        let mut sequencer = Sequencer::new(2, &mut slots, 0, Position::START);
        if let Some(shape) = $declared {
            sequencer = sequencer.with_graph(GraphParameters::new(shape, Metric::SquaredL2), 0);
        }
        let mut memory = GraphMemory::new($shape).unwrap();
        let capture = Capture::new(producer, sequencer);
        let mut $captured = CapturedIndex::new(Lists::default(), memory.empty_graph(), capture);
    };
}
pub(super) use captured;

#[test]
fn an_operation_that_found_the_ring_full_is_sent_by_the_same_call_again() {
    captured!(captured, consumer, StaticRing::<4, 4096>::new(), 8);
    let mut runs = 0;
    for slot in 0..4 {
        assert_eq!(insert(&mut captured, &mut runs), Ok(slot));
    }
    for _ in 0..2 {
        let full = insert(&mut captured, &mut runs).unwrap_err();
        assert!(full.is_full(), "{full}");
        assert_eq!((runs, captured.index().0.len()), (5, 5));
        assert_eq!(captured.graph().shadow().node_count(), 4);
    }
    let unsent = CapturedIndexError::Unsent {
        operation: IndexOperation::Insert,
        slot: 4,
    };
    let delete = captured.delete(1, |_, _| Ok::<(), Infallible>(()));
    assert_eq!(delete, Err(unsent));
    assert!(unsent.to_string().contains("Insert of node 4"));

    drain(&mut consumer);
    assert_eq!(insert(&mut captured, &mut runs), Ok(4));
    assert_eq!(runs, 5);
    assert_eq!(
        captured.graph().first_difference(captured.index()),
        Ok(None)
    );
    assert_eq!(captured.delete(1, |_, _| Ok::<(), Infallible>(())), Ok(()));
    assert_eq!(
        (take(&mut consumer), take(&mut consumer)),
        (Some(5), Some(6))
    );
}

#[test]
fn an_index_that_refuses_changes_nothing() {
    captured!(captured, consumer, StaticRing::<4, 4096>::new(), 8);
    let refused = captured.insert(b"id", &[1.0, 2.0], &[], |_, _| Err("no"));
    assert_eq!(refused, Err(CapturedIndexError::Index("no")));
    assert_eq!(take(&mut consumer), None);
    assert_eq!(insert(&mut captured, &mut 0), Ok(0));
}

/// An operation may rewrite more than the first buffer for changes holds.
#[test]
fn large_changes_get_a_larger_buffer() {
    captured!(captured, _consumer, StaticRing::<64, 65_536>::new(), 64);
    captured.scratch.truncate(8);
    for _ in 0..64 {
        let inserted = insert(&mut captured, &mut 0);
        if let Err(error) = inserted {
            assert!(error.is_full(), "{error}");
            break;
        }
    }
    assert!(captured.scratch.len() >= CHANGE_SIZE);
    assert!(captured.graph().shadow().node_count() > 32);
}

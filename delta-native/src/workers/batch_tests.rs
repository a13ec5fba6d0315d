//! Batches whose metadata are compressed, between forks.

use delta_core::codec::lz4::Lz4Scratch;
use delta_core::pipeline::apply::Refusal;
use delta_core::pipeline::sequencer::Position;

use super::{ParallelError, ShardedReplica, run};
use crate::fixtures::batches::{ROWS, path, row, stream, with_broken_block};

/// Every row and path is that after the updates of `step` and `path_step`.
fn assert_at(replica: &ShardedReplica<'_>, step: u32, path_step: u32) {
    let view = replica.read();
    for slot in 0..ROWS {
        assert_eq!(view.row(slot), Some(&row(slot, step)[..]));
        let path = path(slot, path_step);
        assert_eq!(view.metadata(slot, b"path"), Some(path.as_bytes()));
    }
}

#[test]
fn compressed_batches_are_applied_between_forks() {
    for workers in 1..=3 {
        let replica = ShardedReplica::new(3, ROWS, workers, Position::START).unwrap();
        let bytes = stream(Some(&mut Lz4Scratch::new()));
        let (result, _) = run(&replica, |session| session.apply_batch(bytes)).unwrap();
        let forked = if workers > 1 { 30 } else { 0 };
        assert_eq!(result.unwrap().forked, forked);
        assert_at(&replica, 33, 3);
    }
}

#[test]
fn a_broken_block_stops_the_batch() {
    // The second batch that changes paths; what is before it is applied.
    let (bytes, _) = with_broken_block(&stream(Some(&mut Lz4Scratch::new())), 21);
    let replica = ShardedReplica::new(3, ROWS, 2, Position::START).unwrap();
    let (result, _) = run(&replica, |session| session.apply_batch(bytes)).unwrap();
    let Err(ParallelError::Apply(error)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(error.sequence, 21);
    assert!(matches!(error.reason, Refusal::Metadata(_)));
    assert_at(&replica, 11, 1);
}

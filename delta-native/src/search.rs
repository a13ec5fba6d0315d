//! Searches of the replica that the records of a stream make.

use delta_core::graph::encode::Change;
use delta_core::graph::search::{Candidate, Neighbour, SearchError, SearchScratch};
use delta_core::graph::{Edit, GraphParameters, Shape};
use delta_core::kernel::distance::{Metric, Query};
use delta_core::payload::Payload;
use delta_core::payload::control::Control;
use delta_core::payload::metadata::SECTION_SIZE_MAX;
use delta_core::pipeline::apply::{Applier, ApplyError};
use delta_core::pipeline::sequencer::Position;
use delta_core::record::Record;
use delta_core::store::{Replica, ReplicaGraph, SliceMemory, SliceStore, Slot, nearest};
use delta_core::stream::{StreamError, StreamReader};

use crate::index::{GraphAllocationError, GraphMemory};
use crate::memory::{OutOfMemory, filled};

/// What is asked of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose neighbours.
    pub slot: u32,
    /// How many.
    pub k: usize,
    /// Records of the stream to apply before; at most all.
    pub records: u64,
    /// Of an exact search; one by a graph takes the graph's.
    pub metric: Metric,
    /// Nodes that a search by a graph keeps.
    pub ef: usize,
}

/// A neighbour.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Hit {
    /// Its slot.
    pub slot: u32,
    /// Bits of its distance, the same in every implementation.
    pub distance_bits: u32,
    /// Its distance.
    pub distance: f32,
    /// Its id.
    pub id: String,
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Answer {
    /// Records applied.
    pub records: u64,
    /// State digest after them, 16 hexadecimal digits.
    pub digest: String,
    /// Whether the search went by a graph.
    pub by_graph: bool,
    /// Nearest first.
    pub hits: Vec<Hit>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaSearchError {
    /// The frames are no whole stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream goes on where another ended.
    #[error("the stream has a base of {slot_count} rows: pass one that begins with none")]
    Base {
        /// Rows of the base.
        slot_count: u32,
    },
    /// A record does not fit the replica.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// There is no memory for the replica.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// There is no memory for its graph.
    #[error(transparent)]
    Graph(#[from] GraphAllocationError),
    /// The slot is not there.
    #[error("there is no slot {slot}: the replica has {slot_count}")]
    NoSlot {
        /// The slot.
        slot: u32,
        /// Slots of the replica.
        slot_count: u32,
    },
    /// The search was not made.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// Applies records of `frames`, a whole stream over an empty base, to a replica, and searches that.
/// O(bytes + search).
///
/// # Errors
/// [`ReplicaSearchError`].
///
/// ```
/// use delta_core::kernel::distance::Metric;
/// use delta_native::search::{Question, search};
///
/// let stream = &delta_native::sample::streams()?[0];
/// let mut frames = Vec::new();
/// delta_native::replay::export(stream, &mut frames)?;
/// let question = Question { slot: 3, k: 5, records: 200, metric: Metric::Cosine, ef: 100 };
/// let answer = search(&frames, &question)?;
/// assert_eq!((answer.records, answer.hits.len()), (200, 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn search(frames: &[u8], question: &Question) -> Result<Answer, ReplicaSearchError> {
    let needs = Needs::of(frames)?;
    let (slots, dim) = (needs.slots as usize, needs.dim as usize);
    let mut rows = filled(slots, dim, 0.0)?;
    let mut states = filled(slots, 1, Slot::default())?;
    let mut attributes = filled(needs.attribute_bytes, 1, 0)?;
    let shape = needs.shape();
    let mut graph = shape.map(GraphMemory::new).transpose()?;
    let memory = SliceMemory {
        rows: &mut rows,
        slots: &mut states,
        attributes: &mut attributes,
    };
    let mut store = SliceStore::new(needs.dim, memory);
    if let (Some(graph), Some(declared)) = (&mut graph, needs.graph) {
        store = store.with_graph(ReplicaGraph::new(graph.empty_graph(), declared.metric));
    }
    let mut scratch = filled(Applier::scratch_size_max(needs.dim), 1, 0)?;
    let mut applier = Applier::new(Position::START, &mut scratch);
    for record in StreamReader::new(frames) {
        if applier.current_position().sequence == question.records {
            break;
        }
        applier.apply_delta(&record?, &mut store)?;
    }
    let position = applier.current_position();
    Ok(Answer {
        records: position.sequence,
        digest: format!("{:016x}", position.digest),
        by_graph: store.graph().is_some(),
        hits: neighbours(&store, question)?,
    })
}

fn neighbours(store: &SliceStore<'_>, question: &Question) -> Result<Vec<Hit>, ReplicaSearchError> {
    let Question { slot, k, ef, .. } = *question;
    let slot_count = store.slot_count();
    let row = store
        .row(slot)
        .ok_or(ReplicaSearchError::NoSlot { slot, slot_count })?;
    // One more than asked for: the row itself.
    let mut found = filled(k.min(slot_count as usize) + 1, 1, Neighbour::default())?;
    let count = match store.graph() {
        None => nearest(store, &Query::new(question.metric, row), &mut found),
        Some(graph) => {
            let nodes = graph.adjacency().node_count() as usize;
            let mut pool = filled(2 * ef.max(found.len()), 1, Candidate::default())?;
            let mut visited = filled(nodes, 1, 0)?;
            let mut scratch = SearchScratch::new(&mut pool, &mut visited);
            graph.search(store, row, ef, &mut scratch, &mut found)?
        }
    };
    let hit = |near: &Neighbour| Hit {
        slot: near.slot,
        distance_bits: near.distance.to_bits(),
        distance: near.distance,
        id: String::from_utf8_lossy(store.id(near.slot).unwrap_or_default()).into_owned(),
    };
    let others = found.iter().take(count).filter(|near| near.slot != slot);
    Ok(others.take(k).map(hit).collect())
}

/// Lists above layer 0 of the node that a record inserts. A change inserts one at most: one that
/// spells more is refused when it is applied, and asks for no memory here.
pub(crate) fn upper_lists(payload: &Payload<'_>) -> u32 {
    let change = match payload {
        Payload::Insert(vector) | Payload::Update(vector) => vector.graph(),
        Payload::Reindex(change) => Some(*change),
        _ => None,
    };
    let mut edits = change.iter().flat_map(Change::edits);
    let level = edits.find_map(|edit| match edit {
        Edit::Insert { level, .. } => Some(u32::from(level)),
        _ => None,
    });
    level.unwrap_or(0)
}

/// What memory a replica of a whole stream needs.
#[derive(Debug, Default)]
struct Needs {
    dim: u32,
    slots: u32,
    /// As much as if nothing were ever replaced, twice: a blob is written before its forerunner is
    /// given up.
    attribute_bytes: usize,
    graph: Option<GraphParameters>,
    upper_blocks: u32,
}

impl Needs {
    fn of(frames: &[u8]) -> Result<Self, ReplicaSearchError> {
        let mut needs = Self::default();
        let mut scratch = vec![0; SECTION_SIZE_MAX];
        for record in StreamReader::new(frames) {
            needs.add(&record?, &mut scratch)?;
        }
        Ok(needs)
    }

    fn add(&mut self, record: &Record<'_>, scratch: &mut [u8]) -> Result<(), ReplicaSearchError> {
        const BLOB_SIZE: usize = 9;
        match record.payload() {
            Payload::Control(Control::Start {
                dim,
                slot_count,
                graph,
                ..
            }) => {
                let slot_count = *slot_count;
                if slot_count != 0 {
                    return Err(ReplicaSearchError::Base { slot_count });
                }
                (self.dim, self.graph) = (*dim, *graph);
            }
            Payload::Insert(vector) | Payload::Update(vector) => {
                // What cannot be read is refused when it is applied.
                let decoded = vector.metadata().decode(scratch);
                let pairs = decoded.map_or(0, |changes| changes.as_bytes().len());
                self.attribute_bytes += 2 * (BLOB_SIZE + vector.id().len() + 2 * pairs);
                self.slots += u32::from(matches!(record.payload(), Payload::Insert(_)));
            }
            Payload::Batch(batch) => {
                let entries = batch.decode(scratch).into_iter().flatten();
                let sizes = entries.map(|(_, changes)| changes.as_bytes().len());
                let blobs = sizes.map(|pairs| 2 * (BLOB_SIZE + 2 * pairs));
                self.attribute_bytes += blobs.sum::<usize>();
            }
            _ => {}
        }
        self.upper_blocks = self
            .upper_blocks
            .saturating_add(upper_lists(record.payload()));
        Ok(())
    }

    fn shape(&self) -> Option<Shape> {
        self.graph.map(|declared| Shape {
            nodes_max: self.slots.max(1),
            degree0_max: declared.degree0_max,
            degree_max: declared.degree_max,
            upper_blocks_max: self.upper_blocks.max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<u8> {
        let streams = crate::sample::streams().unwrap();
        let mut frames = Vec::new();
        crate::replay::export(&streams[0], &mut frames).unwrap();
        frames
    }

    fn question(slot: u32, records: u64) -> Question {
        Question {
            slot,
            k: 10,
            records,
            metric: Metric::Cosine,
            ef: 100,
        }
    }

    #[test]
    fn an_answer_is_sorted_and_leaves_the_row_itself_out() {
        let answer = search(&frames(), &question(3, u64::MAX)).unwrap();
        assert_eq!(answer.hits.len(), 10);
        assert!(answer.hits.iter().all(|hit| hit.slot != 3));
        assert!(answer.hits.is_sorted_by_key(|hit| hit.distance));
        assert!(!answer.by_graph);
    }

    #[test]
    fn a_change_asks_for_the_lists_of_one_node() {
        let inserts = [3, 31].map(|level| Edit::Insert { slot: 0, level });
        let mut bytes = [0; 64];
        let size = delta_core::graph::encode::encode_edits(inserts, &mut bytes).unwrap();
        let change = Change::parse(&bytes[..size]).unwrap();
        assert_eq!(upper_lists(&Payload::Reindex(change)), 3);
    }

    #[test]
    fn an_answer_is_of_the_records_asked_for() {
        let (early, late) = (question(0, 2), question(0, 300));
        let frames = frames();
        assert_eq!(search(&frames, &early).unwrap().hits, []);
        let late = search(&frames, &late).unwrap();
        assert_eq!((late.records, late.hits.len()), (300, 10));
    }

    #[test]
    fn batches_may_add_metadata() {
        let frames = crate::fixtures::batches::with_new_metadata();
        let answer = search(&frames, &question(0, u64::MAX)).unwrap();
        assert_eq!(answer.hits.len(), 1);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let frames = frames();
        let refused = search(&frames, &question(9, 3));
        assert!(matches!(
            refused,
            Err(ReplicaSearchError::NoSlot {
                slot: 9,
                slot_count: 2
            })
        ));
        let refused = search(&frames[..frames.len() - 1], &question(0, 3));
        assert!(matches!(refused, Err(ReplicaSearchError::Stream(_))));
    }
}

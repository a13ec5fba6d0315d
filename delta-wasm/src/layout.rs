//! Where the host has placed the memory of a stage.

use delta_core::graph::Shape;
use delta_core::kernel::distance::Metric;
use delta_core::ring::Geometry;

use crate::error::CallError;
use crate::memory::{ALIGN, Extent};

/// A ring region of the host's: where it lies and its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingPlace {
    pub(crate) extent: Extent,
    pub(crate) geometry: Geometry,
}

/// The pieces of memory of one stage, checked: inside the memory, aligned, none overlapping another
/// or the stage's context.
///
/// The host writes them to the context's address as u64 words, little-endian, 0 where the stage has
/// no such piece:
///
/// | word | |
/// |---|---|
/// | 0 | version of this table, 2 |
/// | 1 | dim: components of a row |
/// | 2 | capacity: slots |
/// | 3, 4 | staging area: address, bytes |
/// | 5, 6, 7 | ring that the stage reads: address, slots, payload bytes |
/// | 8, 9, 10 | ring that the stage writes: address, slots, payload bytes |
/// | 11 | rows: address of 4 x dim x capacity bytes |
/// | 12 | slots of the row store: address of 16 x capacity bytes |
/// | 13 | slots of the sequencer: address of 16 x capacity bytes |
/// | 14, 15 | ids and metadata: address, bytes |
/// | 16, 17 | scratch: address, bytes |
/// | 18 | epoch of the first record; 0: 1 |
/// | 19, 20 | neighbours that a search finds at most: address of 8 bytes each, how many |
/// | 21, 22 | nodes that a search by the graph keeps at most: address of 16 bytes each, how many |
/// | 23 | nodes that a search has met: address of 2 x capacity bytes |
/// | 24 | the graph: [`GraphShape::from_word`]; 0: none |
/// | 25 | lists of the graph above layer 0, over all nodes |
/// | 26 | the graph's tables: address; how many bytes, the apply module says |
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dim: u32,
    pub(crate) staging: Extent,
    pub(crate) source: Option<RingPlace>,
    pub(crate) target: Option<RingPlace>,
    pub(crate) rows: Extent,
    pub(crate) slots: Extent,
    pub(crate) states: Extent,
    pub(crate) attributes: Extent,
    pub(crate) scratch: Extent,
    /// At least 1.
    pub(crate) epoch: u32,
    pub(crate) found: Extent,
    pub(crate) kept: Extent,
    pub(crate) met: Extent,
    pub(crate) graph: Option<GraphPlace>,
}

/// A graph of the host's: its shape and metric, and where its tables lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GraphPlace {
    pub(crate) shape: GraphShape,
    pub(crate) extent: Extent,
}

/// The shape of a graph, and the metric that it links by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GraphShape {
    pub(crate) shape: Shape,
    pub(crate) metric: Metric,
}

impl GraphShape {
    /// Tables of a graph.
    const TABLES: usize = 6;
    /// Bytes of an element of each.
    const ELEMENT_SIZES: [usize; Self::TABLES] = [4, 1, 1, 8, 4, 4];

    /// From bits 0..8, neighbours of a node on layer 0; 8..16, on each layer above; 16.., metric: 1
    /// squared L2, 2 dot product, 3 cosine. `None` of what no graph has.
    pub(crate) fn from_word(word: u32, nodes_max: u32, upper_blocks_max: u32) -> Option<Self> {
        let [degree0_max, degree_max, metric, 0] = word.to_le_bytes() else {
            return None;
        };
        let metric = match metric {
            1 => Metric::SquaredL2,
            2 => Metric::Dot,
            3 => Metric::Cosine,
            _ => return None,
        };
        let shape = Shape {
            nodes_max,
            degree0_max,
            degree_max,
            upper_blocks_max,
        };
        shape.lengths().map(|_| Self { shape, metric })
    }

    /// Offset and bytes of each table, each at a multiple of [`ALIGN`], and bytes of all.
    pub(crate) fn tables(&self) -> Option<([(usize, usize); Self::TABLES], usize)> {
        let lengths = self.shape.lengths()?;
        let mut tables = [(0, 0); Self::TABLES];
        let mut end = 0_usize;
        for ((table, length), size) in tables.iter_mut().zip(lengths).zip(Self::ELEMENT_SIZES) {
            let bytes = length.checked_mul(size)?;
            *table = (end, bytes);
            end = end.checked_add(bytes)?.checked_next_multiple_of(ALIGN)?;
        }
        Some((tables, end))
    }
}

/// Bytes that a row store and a sequencer keep of a slot.
const SLOT_SIZE: usize = 16;
/// Bytes of a neighbour found, and of a node kept by a search.
const FOUND_SIZE: usize = 8;
const KEPT_SIZE: usize = 16;
/// The least alignment of a ring region: a control block's words must not share cache lines.
const RING_ALIGN: usize = 128;

impl Layout {
    /// u64 words that the host writes.
    pub(crate) const WORDS: usize = 27;
    const VERSION: usize = 2;

    /// Checks what the host wrote to the context that takes `context`.
    pub(crate) fn parse(words: [u64; Self::WORDS], context: Extent) -> Result<Self, CallError> {
        let mut numbers = [0; Self::WORDS];
        for (word, (number, value)) in numbers.iter_mut().zip(words).enumerate() {
            let invalid = CallError::Layout { word };
            *number = usize::try_from(value).map_err(|_| invalid)?;
        }
        let [
            version,
            dim,
            capacity,
            staging_at,
            staging_size,
            source_at,
            source_slots,
            source_bytes,
            target_at,
            target_slots,
            target_bytes,
            rows_at,
            slots_at,
            states_at,
            attributes_at,
            attributes_size,
            scratch_at,
            scratch_size,
            epoch,
            found_at,
            found_max,
            kept_at,
            kept_max,
            met_at,
            graph,
            upper_blocks,
            graph_at,
        ] = numbers;
        if version != Self::VERSION {
            return Err(CallError::Layout { word: 0 });
        }
        let small =
            |value: usize, word| u32::try_from(value).map_err(|_| CallError::Layout { word });
        let size_of_table = |address: usize, each: usize| match address {
            0 => Some(0),
            _ => each.checked_mul(capacity),
        };
        let table = |address: usize, each: Option<usize>, word| {
            let size = each.and_then(|each| size_of_table(address, each));
            let size = size.ok_or(CallError::Layout { word })?;
            Extent::new(address, size, ALIGN)
        };
        let graph = match (small(graph, 24)?, small(upper_blocks, 25)?) {
            (0, _) => None,
            (word, blocks) => {
                let invalid = CallError::Layout { word: 24 };
                let shape = GraphShape::from_word(word, small(capacity, 2)?, blocks);
                let shape = shape.ok_or(invalid)?;
                let (_, size) = shape.tables().ok_or(invalid)?;
                let extent = Extent::new(graph_at, size, ALIGN)?;
                Some(GraphPlace { shape, extent })
            }
        };
        let layout = Self {
            dim: small(dim, 1)?,
            staging: Extent::new(staging_at, staging_size, ALIGN)?,
            source: ring(source_at, small(source_slots, 6)?, small(source_bytes, 7)?)?,
            target: ring(target_at, small(target_slots, 9)?, small(target_bytes, 10)?)?,
            rows: table(rows_at, dim.checked_mul(size_of::<f32>()), 11)?,
            slots: table(slots_at, Some(SLOT_SIZE), 12)?,
            states: table(states_at, Some(SLOT_SIZE), 13)?,
            attributes: Extent::new(attributes_at, attributes_size, ALIGN)?,
            scratch: Extent::new(scratch_at, scratch_size, ALIGN)?,
            epoch: small(epoch, 18)?.max(1),
            found: Extent::new(found_at, found_max.saturating_mul(FOUND_SIZE), ALIGN)?,
            kept: Extent::new(kept_at, kept_max.saturating_mul(KEPT_SIZE), ALIGN)?,
            met: table(met_at, Some(size_of::<u16>()), 23)?,
            graph,
        };
        layout.check_disjoint(context)?;
        Ok(layout)
    }

    fn check_disjoint(&self, context: Extent) -> Result<(), CallError> {
        let ring = |place: Option<RingPlace>| place.map(|place| place.extent);
        let empty = Extent::new(0, 0, 1)?;
        crate::memory::check_disjoint(&[
            context,
            self.staging,
            ring(self.source).unwrap_or(empty),
            ring(self.target).unwrap_or(empty),
            self.rows,
            self.slots,
            self.states,
            self.attributes,
            self.scratch,
            self.found,
            self.kept,
            self.met,
            self.graph.map_or(empty, |graph| graph.extent),
        ])
    }
}

fn ring(address: usize, slots: u32, payload_bytes: u32) -> Result<Option<RingPlace>, CallError> {
    if address == 0 {
        return Ok(None);
    }
    let geometry = Geometry::new(slots, payload_bytes).map_err(CallError::Geometry)?;
    let extent = Extent::new(address, geometry.region_size(), RING_ALIGN)?;
    Ok(Some(RingPlace { extent, geometry }))
}

//! Memory of replicas of the golden streams.

use delta_core::{
    graph::{Adjacency, GraphBuffers, Shape},
    store::{SliceMemory, SliceStore, Slot},
};

pub(crate) const NAN: f32 = f32::from_bits(0x7fc0_0001);
pub(crate) const SUBNORMAL: f32 = f32::from_bits(1);

pub(crate) struct Memory {
    pub(crate) rows: [f32; 16],
    pub(crate) slots: [Slot; 4],
    pub(crate) attributes: [u8; 512],
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            rows: [0.0; 16],
            slots: [Slot::default(); 4],
            attributes: [0; 512],
        }
    }

    pub(crate) fn store(&mut self) -> SliceStore<'_> {
        let Self {
            rows,
            slots,
            attributes,
        } = self;
        SliceStore::new(
            4,
            SliceMemory {
                rows,
                slots,
                attributes,
            },
        )
    }
}

pub(crate) const GRAPH: Shape = Shape {
    nodes_max: 4,
    degree0_max: 4,
    degree_max: 2,
    upper_blocks_max: 4,
};

pub(crate) struct GraphMemory {
    pub(crate) neighbours0: [u32; 16],
    pub(crate) bytes: [[u8; 4]; 2],
    pub(crate) tombstones: [u64; 1],
    pub(crate) upper_base: [u32; 4],
    pub(crate) upper: [u32; 12],
}

impl GraphMemory {
    pub(crate) fn new() -> Self {
        Self {
            neighbours0: [0; 16],
            bytes: [[0; 4]; 2],
            tombstones: [0],
            upper_base: [0; 4],
            upper: [0; 12],
        }
    }

    pub(crate) fn graph(&mut self) -> Adjacency<'_> {
        let [degrees0, levels] = &mut self.bytes;
        let buffers = GraphBuffers {
            neighbours0: &mut self.neighbours0,
            degrees0,
            levels,
            tombstones: &mut self.tombstones,
            upper_base: &mut self.upper_base,
            upper: &mut self.upper,
        };
        Adjacency::new(GRAPH, buffers).unwrap()
    }
}

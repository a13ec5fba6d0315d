//! The crate `hnsw-stable`, a port of hnswlib to Rust.

use ::hnsw_stable::{
    Cosine, Dense, Error, Hnsw, HnswConfig, InnerProduct, L2, NodeId, VectorStore, VectorStoreMut,
};
use delta_core::kernel::distance::Metric;

use super::{Found, Gate, IndexError, IndexKind, IndexParameters, IndexView, VectorIndex};
use crate::memory::reserved;

/// An index of the crate `hnsw-stable`. It marks deleted nodes itself and links to none of them;
/// searches pass through them.
pub struct HnswStable {
    hnsw: Hnsw<u32, AnyMetric>,
    rows: Rows,
    gate: Gate,
}

impl std::fmt::Debug for HnswStable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HnswStable")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl VectorIndex for HnswStable {
    const KIND: IndexKind = IndexKind::HnswStable;

    fn new(parameters: &IndexParameters) -> Result<Self, IndexError> {
        let gate = Gate::new(parameters)?;
        let (dim, nodes) = (parameters.dim as usize, parameters.nodes_max as usize);
        let ef = parameters.ef as usize;
        let config = HnswConfig::new(dim, nodes)
            .m(usize::from(parameters.links))
            .ef_construction(ef)
            .ef_search(ef)
            // They keep writers of one key apart; there is one writer.
            .label_operation_locks(1);
        Ok(Self {
            rows: Rows {
                dim,
                values: reserved(nodes, dim).map_err(|_| IndexError::Refused)?,
            },
            hnsw: Hnsw::new(AnyMetric(parameters.metric), config),
            gate,
        })
    }

    fn insert(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        let Self { hnsw, rows, gate } = self;
        gate.insert(slot, row, || {
            rows.values.extend_from_slice(row);
            hnsw.insert(&*rows, slot, row).ok()
        })
    }

    fn update(&mut self, slot: u32, row: &[f32]) -> Result<(), IndexError> {
        let Self { hnsw, rows, gate } = self;
        gate.check_row(row)?;
        gate.change(slot, || {
            rows.row_mut(slot)?.copy_from_slice(row);
            hnsw.set(&*rows, slot, row).ok().map(drop)
        })
    }

    fn delete(&mut self, slot: u32) -> Result<(), IndexError> {
        let Self { hnsw, gate, .. } = self;
        gate.delete(slot, || hnsw.delete(&slot).ok().map(drop))
    }

    fn set_search_ef(&mut self, ef: u32) {
        self.hnsw.set_ef_search(ef as usize);
    }

    fn search(
        &self,
        query: &[f32],
        count: usize,
        _: Option<&dyn Fn(u32) -> bool>,
        found: &mut Vec<Found>,
    ) -> Result<(), IndexError> {
        self.gate.check_row(query)?;
        found.clear();
        if self.gate.node_count == 0 {
            return Ok(());
        }
        let hits = self.hnsw.search(&self.rows, query, count, None);
        found.extend(
            hits.map_err(|_| IndexError::Refused)?
                .iter()
                .map(|hit| Found {
                    slot: hit.key,
                    distance: hit.distance,
                }),
        );
        Ok(())
    }
}

impl IndexView for HnswStable {
    fn level(&self, slot: u32) -> Option<u8> {
        u8::try_from(self.hnsw.level(&slot).ok()?).ok()
    }

    fn visit_neighbours(&self, layer: u8, slot: u32, visit: &mut dyn FnMut(u32)) {
        let neighbours = self.hnsw.neighbors(&slot, usize::from(layer));
        neighbours.into_iter().flatten().for_each(visit);
    }

    fn entry(&self) -> Option<u32> {
        self.hnsw.entry_key().ok()
    }
}

/// The library's own kernels, chosen by value.
#[derive(Clone)]
struct AnyMetric(Metric);

impl ::hnsw_stable::Metric for AnyMetric {
    type Family = Dense<f32>;

    fn distance(&self, a: &[f32], b: &[f32]) -> f32 {
        match self.0 {
            Metric::Dot => InnerProduct::<f32>::new().distance(a, b),
            Metric::Cosine => Cosine::<f32>::new().distance(a, b),
            _ => L2::<f32>::new().distance(a, b),
        }
    }
}

/// Rows by node, one behind another. The adapter writes a row, and then the library links it: the
/// library's own writes find the row there.
struct Rows {
    dim: usize,
    values: Vec<f32>,
}

impl Rows {
    fn row(&self, slot: usize) -> Option<&[f32]> {
        self.values
            .get(slot.checked_mul(self.dim)?..)?
            .get(..self.dim)
    }

    fn row_mut(&mut self, slot: u32) -> Option<&mut [f32]> {
        let start = (slot as usize).checked_mul(self.dim)?;
        self.values.get_mut(start..)?.get_mut(..self.dim)
    }
}

impl VectorStore for Rows {
    type Family = Dense<f32>;
    type Vector<'a> = &'a [f32];

    fn dim(&self) -> usize {
        self.dim
    }

    fn vector(&self, id: NodeId) -> Option<&[f32]> {
        self.row(id.as_usize())
    }
}

impl VectorStoreMut for Rows {
    fn set(&self, id: NodeId, _: &[f32]) -> Result<(), Error> {
        self.row(id.as_usize())
            .map(|_| ())
            .ok_or(Error::MissingVector)
    }
}

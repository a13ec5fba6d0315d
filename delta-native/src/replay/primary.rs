//! The primary of a replay: the vector store whose write hooks are captured.
//!
//! It is deliberately plain and shares no code with the replica's store, so that comparing the two
//! means something.

use delta_core::codec::Bound;
use delta_core::payload::metadata::MetadataEdit;
use delta_core::store::Replica;

use crate::memory::{OutOfMemory, reserved};
use crate::stream::{Event, Metadata, Operation};

/// What the rows of a lossy replica are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Within<'w> {
    /// Rows of the primary's shadow, and more.
    pub(super) shadow: &'w [f32],
    pub(super) bound: Bound,
}

impl<'w> Within<'w> {
    fn row(self, slot: u32, dim: usize) -> &'w [f32] {
        let start = slot as usize * dim;
        self.shadow.get(start..start + dim).unwrap_or_default()
    }

    /// No component of `found` is off by more than the bound allows.
    fn holds(self, found: &[f32], row: &[f32]) -> bool {
        let square = |x: f32| f64::from(x) * f64::from(x);
        let total: f64 = row.iter().map(|component| square(*component)).sum();
        let count = u32::try_from(row.len()).map_or(f64::INFINITY, f64::from);
        // A sum in another order differs in its last bits.
        let limit = square(self.bound.get()) * total / count * (1.0 + 1e-9);
        found.iter().zip(row).all(|(found, component)| {
            let error = f64::from(*found) - f64::from(*component);
            found.to_bits() == component.to_bits() || error * error <= limit
        })
    }
}

/// Rows, ids, metadata and tombstones by slot. Ids and metadata borrow the loaded stream.
#[derive(Debug)]
pub(super) struct Primary<'s> {
    /// At least 1.
    dim: usize,
    /// `entities.len() * dim` components.
    rows: Vec<f32>,
    entities: Vec<Entity<'s>>,
}

#[derive(Debug)]
struct Entity<'s> {
    id: &'s [u8],
    metadata: Metadata<'s>,
    deleted: bool,
}

impl<'s> Primary<'s> {
    /// An empty primary with room for `slots` rows of `dim` components.
    pub(super) fn with_capacity(slots: usize, dim: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            dim,
            rows: reserved(slots, dim)?,
            entities: reserved(slots, 1)?,
        })
    }

    /// Memory of rows, and of what refers to ids and metadata, in bytes.
    pub(super) fn memory(&self) -> (usize, usize) {
        (
            self.rows.capacity() * size_of::<f32>(),
            self.entities.capacity() * size_of::<Entity<'_>>(),
        )
    }

    /// All rows, one behind another.
    #[cfg_attr(
        not(any(feature = "hnsw-stable", feature = "usearch")),
        allow(dead_code, reason = "replays with an index alone ask for them")
    )]
    pub(super) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The row of a slot that exists.
    pub(super) fn row(&self, slot: u32) -> &[f32] {
        let start = slot as usize * self.dim;
        self.rows.get(start..start + self.dim).unwrap_or_default()
    }

    /// What `event` changes in the metadata of its entity, keys ascending, into `edits`.
    pub(super) fn metadata_edits(&self, event: &Event<'s>, edits: &mut Vec<MetadataEdit<'s>>) {
        edits.clear();
        let mut new = event.metadata.peekable();
        let old = self
            .entities
            .get(event.slot as usize)
            .map(|entity| entity.metadata);
        for (key, before) in old.into_iter().flatten() {
            while let Some((added, value)) = new.next_if(|(added, _)| *added < key) {
                edits.push(MetadataEdit {
                    key: added,
                    old: None,
                    new: Some(value),
                });
            }
            let after = new
                .next_if(|(same, _)| *same == key)
                .map(|(_, value)| value);
            if after != Some(before) {
                edits.push(MetadataEdit {
                    key,
                    old: Some(before),
                    new: after,
                });
            }
        }
        edits.extend(new.map(|(key, value)| MetadataEdit {
            key,
            old: None,
            new: Some(value),
        }));
    }

    /// Makes the change of `event`, whose slots count up.
    pub(super) fn apply(&mut self, event: &Event<'s>) {
        let start = event.slot as usize * self.dim;
        match event.operation {
            Operation::Insert => {
                self.rows.extend_from_slice(event.row);
                let (id, metadata) = (event.id, event.metadata);
                self.entities.push(Entity {
                    id,
                    metadata,
                    deleted: false,
                });
            }
            Operation::Update => {
                if let Some(row) = self.rows.get_mut(start..start + self.dim) {
                    row.copy_from_slice(event.row);
                }
                if let Some(entity) = self.entities.get_mut(event.slot as usize) {
                    entity.metadata = event.metadata;
                }
            }
            Operation::Delete => {
                if let Some(entity) = self.entities.get_mut(event.slot as usize) {
                    entity.deleted = true;
                }
            }
        }
    }

    /// Where `replica` first differs in any bit of rows, ids, metadata or tombstones; its rows, if
    /// they may be off, from the shadow's, or from the primary's by more than they may.
    pub(super) fn first_difference(
        &self,
        replica: &impl Replica,
        within: Option<Within<'_>>,
    ) -> Option<String> {
        let slots = self.entities.len();
        if replica.slot_count() as usize != slots {
            return Some(format!("{} slots instead of {slots}", replica.slot_count()));
        }
        let mut metadata = Vec::new();
        (0..).zip(&self.entities).find_map(|(slot, entity)| {
            let bits = |row: &[f32]| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let rows_equal = replica.row(slot).is_some_and(|row| match within {
                None => bits(row) == bits(self.row(slot)),
                Some(within) => {
                    bits(row) == bits(within.row(slot, self.dim))
                        && within.holds(row, self.row(slot))
                }
            });
            metadata.clear();
            replica.visit_metadata(slot, &mut |key, value| {
                metadata.push((key.to_vec(), value.to_vec()));
            });
            let metadata_equal = entity.metadata.len() == metadata.len()
                && entity.metadata.zip(&metadata).all(
                    |((key, value), (replica_key, replica_value))| {
                        key == replica_key && value == replica_value
                    },
                );
            let what = if !rows_equal {
                "row"
            } else if replica.id(slot) != Some(entity.id) {
                "id"
            } else if !metadata_equal {
                "metadata"
            } else if replica.is_deleted(slot) != entity.deleted {
                "tombstone"
            } else {
                return None;
            };
            Some(format!("the {what} of slot {slot}"))
        })
    }
}

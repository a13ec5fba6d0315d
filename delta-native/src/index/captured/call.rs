//! One call of a captured index: what it is, and what it was given.

use delta_core::graph::capture::{GraphCapture, GraphCaptureError, IndexView, PendingChange};
use delta_core::payload::metadata::MetadataEdit;
use xxhash_rust::xxh3::Xxh3;

use super::{Parted, Refusal};

/// What an operation does to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexOperation {
    /// Links a new node.
    Insert,
    /// Links a node anew.
    Update,
    /// Makes a node a tombstone.
    Delete,
    /// Links a node anew, its row as it is.
    Relink,
}

/// A call, to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) operation: IndexOperation,
    pub(super) slot: u32,
    /// Hash of the id, the rows and the metadata. What is in the index came from these; a retry
    /// with others would send replicas what the index does not have.
    arguments_hash: u64,
}

impl Call {
    /// O(arguments).
    pub(super) fn new(
        operation: IndexOperation,
        slot: u32,
        id: &[u8],
        rows: &[&[f32]],
        metadata: &[MetadataEdit<'_>],
    ) -> Self {
        let mut hash = Xxh3::new();
        // With their sizes: no byte can move from one argument to the next.
        let mut add = |bytes: &[u8]| {
            hash.update(&bytes.len().to_le_bytes());
            hash.update(bytes);
        };
        add(id);
        rows.iter().for_each(|row| add(bytemuck::cast_slice(row)));
        for edit in metadata {
            add(edit.key);
            for value in [edit.old, edit.new] {
                add(&[u8::from(value.is_some())]);
                add(value.unwrap_or_default());
            }
        }
        Self {
            operation,
            slot,
            arguments_hash: hash.digest(),
        }
    }

    /// Writes what the operation did to `index` to the front of `out`.
    pub(super) fn capture<'c, 'm, 'o>(
        &self,
        graph: &'c mut GraphCapture<'m>,
        index: &dyn IndexView,
        out: &'o mut [u8],
    ) -> Result<PendingChange<'c, 'm, 'o>, GraphCaptureError> {
        match self.operation {
            IndexOperation::Insert => graph.insert(index, self.slot, out),
            IndexOperation::Update | IndexOperation::Relink => graph.update(index, self.slot, out),
            IndexOperation::Delete => graph.delete(index, self.slot, out),
        }
    }

    pub(super) const fn parted(&self, cause: Option<Refusal>) -> Parted {
        Parted {
            operation: self.operation,
            slot: self.slot,
            cause,
        }
    }
}

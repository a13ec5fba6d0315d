//! What a compactor keeps of each entity.

/// What a compactor keeps of an entity beside its row. Opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    pub(super) slot: u32,
    pub(super) id_hash: u32,
    /// Sequence before the range, 0: none.
    pub(super) prev_sequence: u64,
    /// Of the last insert or update, 0: none.
    pub(super) vector_sequence: u64,
    /// Of the delete, 0: none.
    pub(super) delete_sequence: u64,
    /// What its terms come to, if it is erased.
    pub(super) erased_sum: u64,
    /// Number of the row.
    pub(super) row: u32,
    /// Id and metadata section in the text.
    pub(super) text: Text,
    pub(super) inserted: bool,
    /// It was inserted and deleted, and is not known otherwise.
    pub(super) erased: bool,
    /// All components of the row are known.
    pub(super) known: bool,
}

impl Touched {
    /// Batches do not say it: 0 is then what a segment has, too.
    pub(super) fn note_hash(&mut self, id_hash: u32) {
        if id_hash != 0 {
            self.id_hash = id_hash;
        }
    }
}

/// A piece of text: the id, then the section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) start: u32,
    pub(super) id_size: u8,
    pub(super) section_size: u32,
    /// Bytes set aside.
    pub(super) capacity: u32,
}

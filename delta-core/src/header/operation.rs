//! What a record does.

/// What a record does. The discriminants are the wire values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Operation {
    /// A new entity: its slot, row, id and metadata.
    Insert = 0,
    /// A change of one entity's row or metadata.
    Update = 1,
    /// Marks one entity as deleted.
    Delete = 2,
    /// Row changes of several entities.
    BatchUpdate = 3,
    /// Changes of the graph's edges.
    ReindexLayers = 4,
    /// Start, end, resync or watermark of a stream.
    Control = 5,
}

impl Operation {
    /// The operation of a wire value, `None` for an unknown one.
    #[inline]
    pub const fn from_wire(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Insert,
            1 => Self::Update,
            2 => Self::Delete,
            3 => Self::BatchUpdate,
            4 => Self::ReindexLayers,
            5 => Self::Control,
            _ => return None,
        })
    }

    /// The name that the wire format and the `delta` command use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::BatchUpdate => "batch-update",
            Self::ReindexLayers => "reindex-layers",
            Self::Control => "control",
        }
    }
}

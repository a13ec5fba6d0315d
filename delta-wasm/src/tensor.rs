//! Tensors by descriptor: where they lie, what they hold, their shape. Nothing is copied.

#[cfg(any(feature = "capture", feature = "apply"))]
use delta_core::store::{Replica, SliceStore};

#[cfg(any(feature = "capture", feature = "apply"))]
use crate::{error::CallError, memory::Staging};

/// A dense tensor in C order in the linear memory: 32 bytes, little-endian.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | address of the first element, a multiple of 16 |
/// | 8 | 4 | dtype: 1 f32, 2 u32 |
/// | 12 | 4 | rank, 1..=4 |
/// | 16 | 16 | shape: four u32, those behind the rank 0 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Address of the first element, a multiple of 16.
    pub address: u64,
    /// What the elements are: [`Tensor::F32`] or [`Tensor::U32`].
    pub dtype: u32,
    /// Dimensions, 1 to 4.
    pub rank: u32,
    /// Elements along each dimension; 0 behind the rank.
    pub shape: [u32; 4],
}

impl Tensor {
    /// dtype of 32-bit floats.
    pub const F32: u32 = 1;
    /// dtype of 32-bit unsigned integers.
    pub const U32: u32 = 2;
    /// Bytes of a descriptor.
    pub const SIZE: usize = size_of::<[u32; 8]>();

    /// The used rows of a store, at an address that the host may read them through until the next
    /// call.
    #[cfg(any(feature = "capture", feature = "apply"))]
    pub(crate) fn of_store(store: &SliceStore<'_>) -> Self {
        Self {
            address: store.rows().as_ptr().expose_provenance() as u64,
            dtype: Self::F32,
            rank: 2,
            shape: [store.slot_count(), store.dim(), 0, 0],
        }
    }

    /// Writes the descriptor to `out`, at any alignment.
    #[cfg(any(feature = "capture", feature = "apply"))]
    pub(crate) fn write(&self, staging: &mut Staging, out: usize) -> Result<(), CallError> {
        let [s0, s1, s2, s3] = self.shape.map(u64::from);
        let words = [
            self.address,
            u64::from(self.dtype) | u64::from(self.rank) << 32,
            s0 | s1 << 32,
            s2 | s3 << 32,
        ];
        staging.put(out, words)
    }

    /// The rows that the descriptor at `address` in `staging` names: f32, rank 2, rows of `dim`
    /// components, wholly in the staging area.
    #[cfg(feature = "capture")]
    pub(crate) fn read_rows(
        staging: &Staging,
        address: usize,
        dim: u32,
    ) -> Result<&[f32], CallError> {
        let bytes = staging.bytes(address, Self::SIZE)?;
        let [low, high, dtype, rank, shape @ ..]: [u32; 8] = bytemuck::pod_read_unaligned(bytes);
        let tensor = Self {
            address: u64::from(low) | u64::from(high) << 32,
            dtype,
            rank,
            shape,
        };
        let [rows, columns, 0, 0] = tensor.shape else {
            return Err(CallError::Tensor(tensor));
        };
        if tensor.dtype != Self::F32 || tensor.rank != 2 || columns != dim {
            return Err(CallError::Tensor(tensor));
        }
        let first = usize::try_from(tensor.address).map_err(|_| CallError::Tensor(tensor))?;
        staging.components(first, (rows as usize).saturating_mul(dim as usize))
    }
}

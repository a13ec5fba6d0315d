//! Edits as payloads.

use super::TensorPrepareError;
use crate::{
    payload::tensor::{self, PREFIX_SIZE, RowsBetween, Slab, TensorChange, TensorPayload},
    tensor::{Tensor, TensorEdit, TensorRefusal},
};

/// Writes the payload of `edit`, the smaller of its forms, to the front of `out`; returns its size,
/// and whether the header must say that it is relative.
pub(super) fn write(
    tensor: &Tensor<'_>,
    slot: u32,
    edit: TensorEdit<'_>,
    out: &mut [u8],
) -> Result<(usize, bool), TensorPrepareError> {
    let given = out.len();
    let dtype = tensor.dtype();
    let change = match edit {
        TensorEdit::Rows {
            start,
            elements: new,
        } => {
            let rows = RowsBetween {
                slot,
                dtype,
                row_elements: tensor.shape().row_elements(),
                start,
                old: tensor.rows(start, new.len())?,
                new,
            };
            if dtype.width() == 4 && bytemuck::try_cast_slice::<u8, u32>(new).is_err() {
                return Err(TensorRefusal::Misaligned.into());
            }
            let (size, is_relative) = tensor::write_rows(&rows, out)
                .map_err(TensorPrepareError::Encode)?
                .ok_or(TensorPrepareError::Unchanged)?;
            match whole(tensor, start, new) {
                Some(change) if size > PREFIX_SIZE + new.len() => change,
                _ => return Ok((size, is_relative)),
            }
        }
        TensorEdit::Dense { shape, elements } => TensorChange::Dense { shape, elements },
        TensorEdit::Put { slab, elements } => TensorChange::Put { slab, elements },
        TensorEdit::Clear { slab } => TensorChange::Clear { slab },
        TensorEdit::Evict { slab } => TensorChange::Evict { slab },
    };
    let payload = TensorPayload {
        slot,
        dtype,
        change,
    };
    let needed = payload.size();
    let size = payload
        .write(out)
        .ok_or(TensorPrepareError::OutputTooSmall { needed, given })?;
    Ok((size, false))
}

/// Rows as one slab, without a byte beside their elements; `None` for a tensor of fewer than two
/// axes.
fn whole<'e>(tensor: &Tensor<'_>, start: u32, elements: &'e [u8]) -> Option<TensorChange<'e>> {
    let rows = elements.len().checked_div(tensor.row_size())?;
    let slab = Slab {
        axis: 0,
        start,
        count: u32::try_from(rows).ok()?,
    };
    let has_rows = tensor.shape().extents().len() > 1;
    has_rows.then_some(TensorChange::Put { slab, elements })
}

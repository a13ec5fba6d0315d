//! Writes new values into a row, exactly or not at all.

use core::fmt;

use super::RowSizeError;

/// Writes `values[k]` to `row[indices[k]]` for every `k`, bit for bit.
///
/// Everything is checked before the first write. Indices may come in any order; of equal ones the
/// last wins. Time: O(`indices.len()`).
///
/// # Errors
///
/// [`ScatterError`] if the two slices differ in length or an index is not below `row.len()`; `row`
/// is then unchanged.
///
/// ```
/// use delta_core::kernel::apply::scatter;
///
/// let mut row = [0.0; 4];
/// scatter(&mut row, &[0, 3], &[1.5, -0.0])?;
/// assert_eq!(row.map(f32::to_bits), [1.5, 0.0, 0.0, -0.0_f32].map(f32::to_bits));
///
/// assert!(scatter(&mut row, &[1, 4], &[9.0, 9.0]).is_err());
/// assert_eq!(row[1], 0.0);
/// # Ok::<(), delta_core::kernel::apply::ScatterError>(())
/// ```
pub fn scatter(row: &mut [f32], indices: &[u32], values: &[f32]) -> Result<(), ScatterError> {
    if indices.len() != values.len() {
        return Err(ScatterError::LengthMismatch {
            indices: indices.len(),
            values: values.len(),
        });
    }
    // Without an early exit the compiler checks several indices at once.
    let all_in_range = indices
        .iter()
        .fold(true, |fit, &index| fit & ((index as usize) < row.len()));
    if !all_in_range {
        return Err(first_out_of_range(row.len(), indices));
    }
    for (&index, &value) in indices.iter().zip(values) {
        if let Some(component) = row.get_mut(index as usize) {
            *component = value;
        }
    }
    Ok(())
}

#[cold]
fn first_out_of_range(dim: usize, indices: &[u32]) -> ScatterError {
    let position = indices
        .iter()
        .position(|&index| index as usize >= dim)
        .unwrap_or(0);
    let index = indices.get(position).copied().unwrap_or(0);
    ScatterError::IndexOutOfRange {
        position,
        index,
        dim,
    }
}

/// Replaces every bit of `row` by those of `bytes`: little-endian f32, at any alignment. No value
/// passes through a float operation, so signalling NaNs survive. Time: O(`row.len()`).
///
/// # Errors
///
/// [`RowSizeError`] if `bytes` is not `4 * row.len()` bytes; `row` is then unchanged.
pub fn copy_bits_le(row: &mut [f32], bytes: &[u8]) -> Result<(), RowSizeError> {
    let dim = row.len();
    // Little-endian targets only (the crate compiles on no other): memory order is wire order.
    let row_bytes: &mut [u8] = bytemuck::cast_slice_mut(row);
    if row_bytes.len() != bytes.len() {
        return Err(RowSizeError {
            dim,
            size_bytes: bytes.len(),
        });
    }
    row_bytes.copy_from_slice(bytes);
    Ok(())
}

/// Why [`scatter`] refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScatterError {
    /// There is not one value for each index.
    LengthMismatch {
        /// Number of indices.
        indices: usize,
        /// Number of values.
        values: usize,
    },
    /// An index is not below the row's length.
    IndexOutOfRange {
        /// Place of the index in `indices`.
        position: usize,
        /// The index.
        index: u32,
        /// Components of the row.
        dim: usize,
    },
}

impl fmt::Display for ScatterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch { indices, values } => {
                write!(
                    f,
                    "{indices} indices but {values} values: pass one value for each index"
                )
            }
            Self::IndexOutOfRange {
                position,
                index,
                dim,
            } => write!(
                f,
                "index {index} at position {position} is beyond a row of {dim} components: \
                 diff and apply rows of one dimension"
            ),
        }
    }
}

impl core::error::Error for ScatterError {}

#[cfg(test)]
mod tests;

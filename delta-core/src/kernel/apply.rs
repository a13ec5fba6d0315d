//! Writes new values into a row, exactly or not at all.
#![allow(
    unsafe_code,
    reason = "the scatter: bounds checks double the time of writes that are known to fit"
)]

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
    if !all_in_range(row.len(), indices) {
        return Err(first_out_of_range(row.len(), indices));
    }
    let mut set = |index: u32, value: f32| {
        // SAFETY: `all_in_range` has found every index below `row.len()`, and neither the indices
        // nor the length of the row have changed since: both are borrowed by this function.
        let component = unsafe { row.get_unchecked_mut(index as usize) };
        *component = value;
    };
    // Four at a time: the loop's own work is as much as a store.
    let (index_groups, last_indices) = indices.as_chunks::<4>();
    let (value_groups, last_values) = values.as_chunks::<4>();
    for (&[i0, i1, i2, i3], &[v0, v1, v2, v3]) in index_groups.iter().zip(value_groups) {
        set(i0, v0);
        set(i1, v1);
        set(i2, v2);
        set(i3, v3);
    }
    for (&index, &value) in last_indices.iter().zip(last_values) {
        set(index, value);
    }
    Ok(())
}

/// Whether every index is below `dim`.
fn all_in_range(dim: usize, indices: &[u32]) -> bool {
    const LANES: usize = 4;
    /// The greatest `dim` for which the sign of `dim - 1 - index` tells, given that `index` has
    /// none.
    const SIGN: u32 = 1 << 31;

    let last_index = match u32::try_from(dim) {
        Ok(dim) if dim <= SIGN => dim.wrapping_sub(1),
        _ => return indices.iter().all(|&index| (index as usize) < dim),
    };
    let out_of_range = |index: u32| index | last_index.wrapping_sub(index);
    let Some(last) = indices.last_chunk::<LANES>() else {
        return indices
            .iter()
            .fold(0, |any, &index| any | out_of_range(index))
            < SIGN;
    };
    // Lanes that the compiler keeps in vector registers. The last chunk overlaps the one before it.
    let mut any = last.map(out_of_range);
    for chunk in indices.as_chunks::<LANES>().0 {
        for (any, &index) in any.iter_mut().zip(chunk) {
            *any |= out_of_range(index);
        }
    }
    any.iter().fold(0, |any, lane| any | lane) < SIGN
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

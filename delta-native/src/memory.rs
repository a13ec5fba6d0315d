//! Large allocations that fail with an error instead of ending the process.

/// The allocator has no such amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory for {size_bytes} bytes; use a machine with more, or split the input")]
pub struct OutOfMemory {
    /// The size that was asked for, in bytes.
    pub size_bytes: u64,
}

/// An empty vector with room for exactly `rows * columns` items.
pub(crate) fn reserved<T>(rows: usize, columns: usize) -> Result<Vec<T>, OutOfMemory> {
    let size_bytes = (rows as u64)
        .saturating_mul(columns as u64)
        .saturating_mul(size_of::<T>() as u64);
    let refused = OutOfMemory { size_bytes };
    let len = rows.checked_mul(columns).ok_or(refused)?;
    let mut items = Vec::new();
    items.try_reserve_exact(len).map_err(|_| refused)?;
    Ok(items)
}

/// A vector of `rows * columns` times `value`.
pub(crate) fn filled<T: Copy>(
    rows: usize,
    columns: usize,
    value: T,
) -> Result<Vec<T>, OutOfMemory> {
    let mut items = reserved(rows, columns)?;
    items.resize(rows * columns, value);
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_the_exact_size() {
        assert_eq!(filled(2, 3, 7_u8), Ok(vec![7; 6]));
        assert_eq!(reserved::<u64>(2, 3).map(|items| items.capacity()), Ok(6));
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let size_bytes = u64::MAX;
        assert_eq!(filled(usize::MAX, 2, 0_u8), Err(OutOfMemory { size_bytes }));
        let rows = usize::MAX / 8;
        assert!(reserved::<f32>(rows, 1).is_err());
    }
}

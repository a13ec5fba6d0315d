//! `.npy` arrays, read so that nothing in a file is taken on trust.
//!
//! The format is parsed by `npyz`. It is lenient where a replica must not be, so before and after
//! it this module checks: the magic and version; that the header lies within the file and contains
//! only what an array of plain numbers needs (nested literals and overflowing shapes never reach
//! the parser); the type, the byte order and the C order; and that the file is exactly as long as
//! its shape says. Memory for values is taken only after that, so it never exceeds the input's own
//! size.
//!
//! ```
//! use delta_native::{npy, source::Source};
//!
//! let text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}\n";
//! let mut file = b"\x93NUMPY\x01\x00".to_vec();
//! file.extend([text.len() as u8, 0]);
//! file.extend(text);
//! file.extend([0, 0, 128, 63, 0, 0, 0, 64]);
//! let array = npy::read_f32(Source::Bytes { name: "two.npy", bytes: &file })?;
//! assert_eq!(array.shape, [2]);
//! assert_eq!(array.data, [1.0, 2.0]);
//! # Ok::<(), npy::NpyError>(())
//! ```

mod error;
mod header;

use std::io::{self, BufRead, Read};

use crate::source::Source;
use header::{Header, RowKind};

pub use error::{NpyError, NpyFault};

/// An array of 32-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub struct NpyF32 {
    /// Length of each axis, slowest first; empty for a single value. The product is `data.len()`.
    pub shape: Vec<u64>,
    /// Everything before the values, verbatim: these bytes, then the values little-endian, are the
    /// file.
    pub header_bytes: Vec<u8>,
    /// The values in C order, bit for bit.
    pub data: Vec<f32>,
}

/// Reads a little-endian `f4` array of any shape. O(values).
///
/// # Errors
/// [`NpyError`] names the file, what was found, and what to do.
pub fn read_f32<'a>(source: impl Into<Source<'a>>) -> Result<NpyF32, NpyError> {
    read(source.into(), Header::require_f32)
}

/// As [`read_f32`], also of `i1` and `u1`, whose values become floats of the same value. O(values).
///
/// # Errors
/// [`NpyError`] names the file, what was found, and what to do.
pub fn read_rows<'a>(source: impl Into<Source<'a>>) -> Result<NpyF32, NpyError> {
    read(source.into(), Header::require_rows)
}

fn read(source: Source<'_>, require: Require) -> Result<NpyF32, NpyError> {
    let mut data = Vec::new();
    let header = append(source, require, &mut data)?;
    Ok(NpyF32 {
        shape: header.shape,
        header_bytes: header.bytes,
        data,
    })
}

/// As [`read_rows`], with the values put at the end of `data`, so that several arrays can share one
/// buffer. On an error `data` is as it was.
pub(crate) fn append_rows(source: Source<'_>, data: &mut Vec<f32>) -> Result<Header, NpyError> {
    append(source, Header::require_rows, data)
}

/// What the type of an array must be.
type Require = fn(&Header) -> Result<RowKind, NpyFault>;

fn append(source: Source<'_>, require: Require, data: &mut Vec<f32>) -> Result<Header, NpyError> {
    let read = |data: &mut Vec<f32>| {
        let mut array = Array::open(source)?;
        let kind = require(&array.header)?;
        if kind != RowKind::F32 {
            array.append_bytes(kind, data)?;
            return Ok(array.header);
        }
        let values = array.exact_values(size_of::<f32>())?;
        let start = data.len();
        data.try_reserve_exact(values)
            .map_err(|_| NpyFault::Memory { values })?;
        data.resize(start.saturating_add(values), 0.0);
        // Little-endian values on a little-endian target (the core compiles on no other): bytes are
        // bits.
        array.fill(bytemuck::must_cast_slice_mut(
            data.get_mut(start..).unwrap_or_default(),
        ))?;
        Ok(array.header)
    };
    let start = data.len();
    read(data).map_err(|fault| {
        data.truncate(start);
        NpyError {
            file: source.name(),
            fault,
        }
    })
}

/// Reads a one-dimensional array of non-negative integers (`<u4`, `<i4`, `<u8` or `<i8`) below
/// 2^32. O(values).
///
/// # Errors
/// [`NpyError`] names the file, what was found (and at which position), and what to do.
pub fn read_u32_indices<'a>(source: impl Into<Source<'a>>) -> Result<Vec<u32>, NpyError> {
    read_integers(source.into(), "an integer from 0 to 4294967295")
}

/// As [`read_u32_indices`], for integers below 2^64, such as step numbers.
///
/// # Errors
/// [`NpyError`] names the file, what was found (and at which position), and what to do.
pub fn read_u64_indices<'a>(source: impl Into<Source<'a>>) -> Result<Vec<u64>, NpyError> {
    read_integers(source.into(), "an integer from 0 to 18446744073709551615")
}

fn read_integers<T: TryFrom<i128>>(
    source: Source<'_>,
    expected: &'static str,
) -> Result<Vec<T>, NpyError> {
    let read = || {
        let mut array = Array::open(source)?;
        let kind = array.header.require_integer()?;
        if array.header.shape.len() != 1 {
            return Err(NpyFault::NotOneDimensional {
                shape: array.header.shape,
            });
        }
        let values = array.exact_values(kind.size_bytes())?;
        let mut numbers = Vec::new();
        numbers
            .try_reserve_exact(values)
            .map_err(|_| NpyFault::Memory { values })?;
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..kind.size_bytes()).unwrap_or_default();
        for position in 0..values {
            array.read_exact(bytes)?;
            let value = kind.decode(bytes);
            let narrow = T::try_from(value).map_err(|_| NpyFault::IntegerRange {
                position,
                value,
                expected,
            })?;
            numbers.push(narrow);
        }
        array.require_end()?;
        Ok(numbers)
    };
    read().map_err(|fault| NpyError {
        file: source.name(),
        fault,
    })
}

/// An opened file: header checked, values unread.
struct Array<'a> {
    header: Header,
    reader: Box<dyn BufRead + 'a>,
    /// Bytes after the header, by the length of the file.
    data_bytes: u64,
}

impl<'a> Array<'a> {
    fn open(source: Source<'a>) -> Result<Self, NpyFault> {
        let opened = source.open().map_err(NpyFault::Io)?;
        let mut reader = opened.reader;
        let header = Header::read(&mut reader, opened.len_bytes)?;
        let header_bytes = u64::try_from(header.bytes.len()).unwrap_or(u64::MAX);
        Ok(Self {
            header,
            reader,
            data_bytes: opened.len_bytes.saturating_sub(header_bytes),
        })
    }

    /// How many values of `size_bytes` the shape says, if the file holds exactly these.
    fn exact_values(&self, size_bytes: usize) -> Result<usize, NpyFault> {
        let shape = &self.header.shape;
        let overflow = || NpyFault::ShapeOverflow {
            shape: shape.clone(),
        };
        let values = shape
            .iter()
            .try_fold(1_usize, |product, axis| {
                product.checked_mul(usize::try_from(*axis).ok()?)
            })
            .ok_or_else(overflow)?;
        let bytes = values
            .checked_mul(size_bytes)
            .and_then(|bytes| u64::try_from(bytes).ok());
        let expected_bytes = bytes.ok_or_else(overflow)?;
        if self.data_bytes < expected_bytes {
            return Err(NpyFault::Truncated {
                expected_bytes,
                found_bytes: self.data_bytes,
            });
        }
        if self.data_bytes > expected_bytes {
            return Err(NpyFault::Trailing {
                expected_bytes,
                found_bytes: self.data_bytes,
            });
        }
        Ok(values)
    }

    /// Reads values of a byte each, as floats, to the end of `data`.
    fn append_bytes(&mut self, kind: RowKind, data: &mut Vec<f32>) -> Result<(), NpyFault> {
        let values = self.exact_values(1)?;
        let no_memory = || NpyFault::Memory { values };
        data.try_reserve_exact(values).map_err(|_| no_memory())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(values).map_err(|_| no_memory())?;
        bytes.resize(values, 0_u8);
        self.fill(&mut bytes)?;
        data.extend(bytes.into_iter().map(|byte| match kind {
            RowKind::I8 => f32::from(byte.cast_signed()),
            _ => f32::from(byte),
        }));
        Ok(())
    }

    /// Reads exactly `bytes`; the file must end there.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NpyFault> {
        self.read_exact(bytes)?;
        self.require_end()
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), NpyFault> {
        self.reader
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => NpyFault::Changed,
                _ => NpyFault::Io(error),
            })
    }

    /// The length was compared before; this notices a file that grew since.
    fn require_end(&mut self) -> Result<(), NpyFault> {
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(NpyFault::Changed),
            Err(error) => Err(NpyFault::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests;

//! The header of an `.npy` file: guarded before the parser sees it, checked after.

use std::io::{self, Read};

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr};

use super::NpyFault;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes of header text that are accepted. Plain arrays need about 128; version 1 can say no more
/// than this.
const TEXT_BYTES_MAX: u64 = 65_535;
/// Integers in a header: NumPy allows 64 axes.
const INTEGERS_MAX: usize = 64;

/// A header that a parser accepted, of an array in C order with one plain type.
#[derive(Debug)]
pub(crate) struct Header {
    /// Length of each axis.
    pub(crate) shape: Vec<u64>,
    /// Magic, version, length and text, verbatim.
    pub(crate) bytes: Vec<u8>,
    dtype: TypeStr,
}

/// What the values of rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    F32,
    I8,
    U8,
}

/// A little-endian integer type that can hold indices.
#[derive(Debug, Clone, Copy)]
pub(super) enum IntegerKind {
    U32,
    I32,
    U64,
    I64,
}

impl IntegerKind {
    pub(super) fn size_bytes(self) -> usize {
        match self {
            Self::U32 | Self::I32 => 4,
            Self::U64 | Self::I64 => 8,
        }
    }

    /// The number in `bytes`, which are [`size_bytes`](Self::size_bytes) long.
    pub(super) fn decode(self, bytes: &[u8]) -> i128 {
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(bytes) {
            *to = *from;
        }
        let [a, b, c, d, ..] = wide;
        match self {
            Self::U32 => i128::from(u32::from_le_bytes([a, b, c, d])),
            Self::I32 => i128::from(i32::from_le_bytes([a, b, c, d])),
            Self::U64 => i128::from(u64::from_le_bytes(wide)),
            Self::I64 => i128::from(i64::from_le_bytes(wide)),
        }
    }
}

impl Header {
    /// Reads the header of a file of `file_bytes` bytes and leaves `reader` at the first value.
    pub(super) fn read(reader: &mut impl Read, file_bytes: u64) -> Result<Self, NpyFault> {
        let bytes = read_bytes(reader, file_bytes)?;
        let text = bytes.get(prefix_bytes(&bytes)..).unwrap_or_default();
        check_text(text)?;
        let parsed =
            NpyHeader::from_reader(bytes.as_slice()).map_err(|error| NpyFault::HeaderText {
                reason: error.to_string(),
            })?;
        let DType::Plain(dtype) = parsed.dtype() else {
            return Err(NpyFault::HeaderText {
                reason: "a structured type".to_owned(),
            });
        };
        if parsed.order() != Order::C {
            return Err(NpyFault::FortranOrder);
        }
        Ok(Self {
            shape: parsed.shape().to_vec(),
            bytes,
            dtype,
        })
    }

    /// The type must be little-endian `f4`, `i1` or `u1`.
    pub(super) fn require_rows(&self) -> Result<RowKind, NpyFault> {
        match (self.dtype.type_char(), self.dtype.size_field()) {
            (TypeChar::Int, 1) => Ok(RowKind::I8),
            (TypeChar::Uint, 1) => Ok(RowKind::U8),
            _ => self.require_f32(),
        }
    }

    /// The type must be little-endian `f4`.
    pub(super) fn require_f32(&self) -> Result<RowKind, NpyFault> {
        match (self.dtype.type_char(), self.dtype.size_field()) {
            (TypeChar::Int | TypeChar::Uint | TypeChar::Bool, 1) => Err(NpyFault::Int8OrBinary {
                dtype: self.dtype.to_string(),
            }),
            (TypeChar::Float, 4) => self.require_little_endian().map(|()| RowKind::F32),
            _ => Err(NpyFault::Dtype {
                dtype: self.dtype.to_string(),
                expected: "<f4",
            }),
        }
    }

    /// The type must be a little-endian integer of 4 or 8 bytes.
    pub(super) fn require_integer(&self) -> Result<IntegerKind, NpyFault> {
        let kind = match (self.dtype.type_char(), self.dtype.size_field()) {
            (TypeChar::Uint, 4) => IntegerKind::U32,
            (TypeChar::Int, 4) => IntegerKind::I32,
            (TypeChar::Uint, 8) => IntegerKind::U64,
            (TypeChar::Int, 8) => IntegerKind::I64,
            _ => {
                let expected = "<u4 (nor <i4, <u8, <i8)";
                return Err(NpyFault::Dtype {
                    dtype: self.dtype.to_string(),
                    expected,
                });
            }
        };
        self.require_little_endian().map(|()| kind)
    }

    fn require_little_endian(&self) -> Result<(), NpyFault> {
        match self.dtype.endianness() {
            Endianness::Little => Ok(()),
            _ => Err(NpyFault::BigEndian {
                dtype: self.dtype.to_string(),
            }),
        }
    }
}

/// Bytes before the header's text: magic, version, and a length of 2 or (from version 2) 4 bytes.
fn prefix_bytes(bytes: &[u8]) -> usize {
    if bytes.get(6) == Some(&1) { 10 } else { 12 }
}

/// Magic to the end of the text, once its claimed length is known to be in the file.
fn read_bytes(reader: &mut impl Read, file_bytes: u64) -> Result<Vec<u8>, NpyFault> {
    let mut fixed = [0; 8];
    read_or(reader, &mut fixed, || NpyFault::Magic)?;
    let [magic @ .., major, minor] = fixed;
    if &magic != MAGIC {
        return Err(NpyFault::Magic);
    }
    if !matches!((major, minor), (1..=3, 0)) {
        return Err(NpyFault::Version { major, minor });
    }
    let mut bytes = fixed.to_vec();
    let mut length = [0; 4];
    let length_bytes = prefix_bytes(&bytes).saturating_sub(fixed.len());
    let length_part = length.get_mut(..length_bytes).unwrap_or_default();
    read_or(reader, length_part, || NpyFault::HeaderLength {
        header_bytes: 0,
        file_bytes,
    })?;
    bytes.extend_from_slice(length_part);
    let header_bytes = u64::from(u32::from_le_bytes(length));
    let in_file = || NpyFault::HeaderLength {
        header_bytes,
        file_bytes,
    };
    let prefix = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if header_bytes > file_bytes.saturating_sub(prefix) {
        return Err(in_file());
    }
    if header_bytes > TEXT_BYTES_MAX {
        return Err(NpyFault::HeaderTooLong { header_bytes });
    }
    let start = bytes.len();
    let end = start.saturating_add(usize::try_from(header_bytes).map_err(|_| in_file())?);
    bytes.resize(end, 0);
    read_or(reader, bytes.get_mut(start..).unwrap_or_default(), in_file)?;
    Ok(bytes)
}

fn read_or(
    reader: &mut impl Read,
    bytes: &mut [u8],
    cut: impl FnOnce() -> NpyFault,
) -> Result<(), NpyFault> {
    reader
        .read_exact(bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            _ => NpyFault::Io(error),
        })
}

/// Refuses a header text that could harm its parser.
///
/// `npyz` parses any Python literal, recursively, and multiplies the shape unchecked. An array of
/// plain numbers needs one dictionary, one tuple, short strings, True, False and integers: only
/// these pass. So nesting is bounded, and the product of all integers, which bounds every product
/// the parser forms, fits 64 bits. Empty strings are refused because they could open a
/// triple-quoted one.
fn check_text(text: &[u8]) -> Result<(), NpyFault> {
    let refuse = |reason: &str| NpyFault::HeaderText {
        reason: reason.to_owned(),
    };
    let (mut dictionaries, mut tuples) = (0_u32, 0_u32);
    let mut integers = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'{' | b'(' => {
                let count = if first == b'{' {
                    &mut dictionaries
                } else {
                    &mut tuples
                };
                *count = count.saturating_add(1);
                if *count > 1 {
                    return Err(refuse("nested literals, perhaps a structured type"));
                }
                after
            }
            b'[' => return Err(refuse("a list, perhaps a structured type")),
            b'}' | b')' | b',' | b':' | b' ' | b'\n' => after,
            b'\'' | b'"' => after_string(first, after).ok_or_else(|| refuse("a bad string"))?,
            b'0'..=b'9' => {
                let (number, after) = split_integer(rest);
                let number = number.ok_or_else(|| refuse("an integer beyond 64 bits"))?;
                if integers.len() == INTEGERS_MAX {
                    return Err(refuse("too many integers"));
                }
                integers.push(number);
                after
            }
            _ => match rest
                .strip_prefix(b"True")
                .or_else(|| rest.strip_prefix(b"False"))
            {
                Some(after) => after,
                None => return Err(refuse("an unexpected character")),
            },
        };
    }
    let product = integers
        .iter()
        .try_fold(1_u64, |product, n| product.checked_mul((*n).max(1)));
    if product.is_none() {
        return Err(NpyFault::ShapeOverflow { shape: integers });
    }
    Ok(())
}

/// What follows the string whose opening `quote` stood before `text`.
fn after_string(quote: u8, text: &[u8]) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| *byte == quote || *byte == b'\\')?;
    let (inside, rest) = text.split_at_checked(end)?;
    let (closing, rest) = rest.split_first()?;
    (*closing == quote && !inside.is_empty()).then_some(rest)
}

/// The decimal number at the start of `text` (`None`: beyond 64 bits) and what follows it.
fn split_integer(text: &[u8]) -> (Option<u64>, &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        number
            .checked_mul(10)?
            .checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    (number, rest)
}

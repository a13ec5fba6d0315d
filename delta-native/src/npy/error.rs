//! What can be wrong with an `.npy` file.

use std::io;

/// A file was refused as an array.
///
/// The message is `file: what was found; what to do`. [`source`](std::error::Error::source) is the
/// system's error, where there is one.
#[derive(Debug)]
pub struct NpyError {
    /// The path or name of the input.
    pub file: String,
    /// What is wrong with it.
    pub fault: NpyFault,
}

impl std::fmt::Display for NpyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.fault)
    }
}

impl std::error::Error for NpyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with an `.npy` file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyFault {
    /// The system refused to open or read the file.
    #[error("cannot be read; check that it exists and may be read")]
    Io(#[source] io::Error),
    /// The first bytes are not those of the format.
    #[error("does not begin as an .npy file does; write it with numpy.save")]
    Magic,
    /// A format version other than 1.0, 2.0 and 3.0.
    #[error("has .npy version {major}.{minor}, not 1.0 to 3.0; write it with numpy.save")]
    Version {
        /// First byte of the version.
        major: u8,
        /// Second byte of the version.
        minor: u8,
    },
    /// The header's end lies outside the file.
    #[error(
        "says its header takes {header_bytes} bytes, but has {file_bytes} in all; \
         it is cut or damaged, write it again"
    )]
    HeaderLength {
        /// Claimed length of the header's text.
        header_bytes: u64,
        /// Length of the file.
        file_bytes: u64,
    },
    /// The header is longer than that of any array of plain numbers.
    #[error("has a header of {header_bytes} bytes; save a plain array, not a structured one")]
    HeaderTooLong {
        /// Claimed length of the header's text.
        header_bytes: u64,
    },
    /// The header's text is not that of an array of plain numbers.
    #[error("has a header that is not that of a plain array ({reason}); write it with numpy.save")]
    HeaderText {
        /// What is wrong in the text.
        reason: String,
    },
    /// Quantised or binary vectors.
    #[error(
        "holds {dtype}; arrays of bytes are replayed (i1 and u1, not b1), but not compared: \
         use the f32 array they were made from"
    )]
    Int8OrBinary {
        /// The type found.
        dtype: String,
    },
    /// Big-endian numbers.
    #[error(
        "holds big-endian {dtype}; save it little-endian, with a.astype('<{}')",
        dtype.trim_start_matches('>')
    )]
    BigEndian {
        /// The type found.
        dtype: String,
    },
    /// Another type than the one needed.
    #[error(
        "holds {dtype}, not {expected}; convert it with a.astype('{}')",
        expected.split(' ').next().unwrap_or_default()
    )]
    Dtype {
        /// The type found.
        dtype: String,
        /// The types that would do, the best first.
        expected: &'static str,
    },
    /// Values stored column by column.
    #[error("is in Fortran order; save numpy.ascontiguousarray(a)")]
    FortranOrder,
    /// The product of the shape, or the bytes it would take, are beyond this machine.
    #[error("has the shape {shape:?}, larger than any file; it is damaged, write it again")]
    ShapeOverflow {
        /// The shape found.
        shape: Vec<u64>,
    },
    /// Fewer bytes than the shape needs.
    #[error(
        "has {found_bytes} bytes of values, its shape needs {expected_bytes}; \
         it is cut, write it again"
    )]
    Truncated {
        /// By the shape.
        expected_bytes: u64,
        /// By the file's length.
        found_bytes: u64,
    },
    /// More bytes than the shape needs.
    #[error(
        "has {found_bytes} bytes of values, its shape needs {expected_bytes}; \
         save one array alone in a file"
    )]
    Trailing {
        /// By the shape.
        expected_bytes: u64,
        /// By the file's length.
        found_bytes: u64,
    },
    /// The file's length changed while it was read.
    #[error("changed while it was read; try again when its writer is done")]
    Changed,
    /// The allocator has no room for the values.
    #[error("holds {values} values, more than there is memory for; use a smaller array")]
    Memory {
        /// Count of values.
        values: usize,
    },
    /// A list of integers has another number of axes than one.
    #[error("has the shape {shape:?}; save it with one axis, with a.ravel()")]
    NotOneDimensional {
        /// The shape found.
        shape: Vec<u64>,
    },
    /// An integer that is no index.
    #[error("holds {value} at position {position}, which is not {expected}; correct it")]
    IntegerRange {
        /// Position in the array, from 0.
        position: usize,
        /// The integer found.
        value: i128,
        /// The range it must be in.
        expected: &'static str,
    },
}

impl NpyFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self)
    }
}

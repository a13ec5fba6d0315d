//! LZ4 blocks for metadata, in memory that the caller owns (WIRE.md, section 3).

use core::fmt;
use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};

/// Largest section in bytes, plain: LZ4's table of 16-bit offsets does not take more.
pub const PLAIN_SIZE_MAX: usize = 65_534;
/// Sections below this many bytes are not worth an attempt: LZ4 ends every block with at least
/// five literals and finds matches of four bytes and more.
const PLAIN_SIZE_MIN: usize = 32;

/// What LZ4 may write, or will not begin.
const OUTPUT_SIZE: usize = get_maximum_output_size(PLAIN_SIZE_MAX);

/// Working memory of a compressor: a hash table and an output buffer, about 82 KiB.
///
/// It holds nothing between calls and can serve any number of streams, one after the other.
pub struct Lz4Scratch {
    table: CompressTable,
    output: [u8; OUTPUT_SIZE],
}

impl Default for Lz4Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lz4Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lz4Scratch")
            .field("size", &size_of::<Self>())
            .finish_non_exhaustive()
    }
}

impl Lz4Scratch {
    /// Empty working memory. On a small stack place it in a `static` or on the heap.
    pub fn new() -> Self {
        Self {
            table: CompressTable::default(),
            output: [0; OUTPUT_SIZE],
        }
    }

    /// Compresses `plain`; `None` where that does not make it smaller by more than `overhead`
    /// bytes, or where `plain` exceeds [`PLAIN_SIZE_MAX`]. O(n).
    pub fn compress(&mut self, plain: &[u8], overhead: usize) -> Option<&[u8]> {
        if !(PLAIN_SIZE_MIN..=PLAIN_SIZE_MAX).contains(&plain.len()) {
            return None;
        }
        let size = compress_into_with_table(plain, &mut self.output, &mut self.table).ok()?;
        self.output
            .get(..size)
            .filter(|block| block.len() + overhead < plain.len())
    }
}

/// Decompresses `block` into `plain`, which has exactly the announced size; `false` if the block
/// is broken or decodes to another size. `plain` then holds garbage. O(n).
pub fn decompress(block: &[u8], plain: &mut [u8]) -> bool {
    decompress_into(block, plain).is_ok_and(|size| size == plain.len())
}

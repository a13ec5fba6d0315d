//! General compressors that do a codec's work: a row's change to bytes, and into a row again.
//!
//! Each takes the bits of the new row xor those of the old one; `pco`, which works on numbers, the
//! difference of both as ordered integers. Contexts and buffers are kept from row to row.

use pco::ChunkConfig;
use pco::standalone::{simple_compress, simple_decompress_into};
use zstd::bulk::{Compressor, Decompressor};

use crate::sizes::{ordered_difference, ordered_sum};

/// Turns changes of rows into bytes and back.
pub(super) trait Coder {
    /// As it is named beside ours.
    const NAME: &'static str;

    /// Compresses `words`; the bytes, `None` if that fails.
    fn encode(&mut self, words: &[u32]) -> Option<&[u8]>;

    /// Decompresses to as many `words`.
    fn decode(&mut self, bytes: &[u8], words: &mut [u32]) -> Option<()>;

    /// The number for a component.
    fn word(old: u32, new: u32) -> u32 {
        old ^ new
    }

    /// The component for a number.
    fn component(old: u32, word: u32) -> u32 {
        old ^ word
    }
}

/// A coder, and the numbers of a row.
pub(super) struct Rows<C> {
    coder: C,
    words: Vec<u32>,
}

impl<C: Coder> Rows<C> {
    pub(super) fn new(coder: C, dim: usize) -> Self {
        let words = vec![0; dim];
        Self { coder, words }
    }

    /// The bytes of a change.
    pub(super) fn encode(&mut self, old: &[f32], new: &[f32]) -> Option<&[u8]> {
        for (word, (old, new)) in self.words.iter_mut().zip(old.iter().zip(new)) {
            *word = C::word(old.to_bits(), new.to_bits());
        }
        self.coder.encode(&self.words)
    }

    /// Makes the change in `row`.
    pub(super) fn decode(&mut self, bytes: &[u8], row: &mut [f32]) -> Option<()> {
        self.coder.decode(bytes, &mut self.words)?;
        for (component, word) in row.iter_mut().zip(&self.words) {
            *component = f32::from_bits(C::component(component.to_bits(), *word));
        }
        Some(())
    }
}

#[derive(Default)]
pub(super) struct Lz4(Vec<u8>);

impl Coder for Lz4 {
    const NAME: &'static str = "LZ4";

    fn encode(&mut self, words: &[u32]) -> Option<&[u8]> {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let size_max = lz4_flex::block::get_maximum_output_size(bytes.len());
        self.0.resize(size_max, 0);
        let size = lz4_flex::block::compress_into(bytes, &mut self.0).ok()?;
        self.0.get(..size)
    }

    fn decode(&mut self, bytes: &[u8], words: &mut [u32]) -> Option<()> {
        let out: &mut [u8] = bytemuck::cast_slice_mut(words);
        lz4_flex::block::decompress_into(bytes, out).ok().map(drop)
    }
}

pub(super) struct Zstd {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    out: Vec<u8>,
}

impl Zstd {
    /// Level 3; `None` if there is no memory for it.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            compressor: Compressor::new(3).ok()?,
            decompressor: Decompressor::new().ok()?,
            out: Vec::new(),
        })
    }
}

impl Coder for Zstd {
    const NAME: &'static str = "zstd -3";

    fn encode(&mut self, words: &[u32]) -> Option<&[u8]> {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        self.out
            .resize(zstd::zstd_safe::compress_bound(bytes.len()), 0);
        let out = self.out.as_mut_slice();
        let size = self.compressor.compress_to_buffer(bytes, out).ok()?;
        self.out.get(..size)
    }

    fn decode(&mut self, bytes: &[u8], words: &mut [u32]) -> Option<()> {
        let out: &mut [u8] = bytemuck::cast_slice_mut(words);
        let decoded = self.decompressor.decompress_to_buffer(bytes, out);
        decoded.ok().map(drop)
    }
}

#[derive(Default)]
pub(super) struct Pco(Vec<u8>);

impl Coder for Pco {
    const NAME: &'static str = "pco";

    fn encode(&mut self, words: &[u32]) -> Option<&[u8]> {
        self.0 = simple_compress(words, &ChunkConfig::default()).ok()?;
        Some(&self.0)
    }

    fn decode(&mut self, bytes: &[u8], words: &mut [u32]) -> Option<()> {
        simple_decompress_into(bytes, words).ok().map(drop)
    }

    fn word(old: u32, new: u32) -> u32 {
        ordered_difference(old, new)
    }

    fn component(old: u32, word: u32) -> u32 {
        ordered_sum(old, word)
    }
}

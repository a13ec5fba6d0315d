//! What is done to the rows of a stream first.

use std::path::PathBuf;

use delta_native::stream::Stream;

/// How rows are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    AsIs,
    /// Rounded to bf16, to nearest, ties to even.
    Bf16,
    /// As bytes with a sign, 127 the greatest magnitude of the stream.
    Int8,
    /// As bits, eight a byte: which components are above zero.
    Bits,
}

impl Form {
    const NAMES: [(&'static str, Self); 3] = [
        ("bf16", Self::Bf16),
        ("int8", Self::Int8),
        ("bits", Self::Bits),
    ];

    /// A word of the command line: `PATH`, or `bf16=PATH`, `int8=PATH`, `bits=PATH`.
    #[must_use]
    pub fn split(word: &str) -> (Self, PathBuf) {
        let named = Self::NAMES.into_iter().find_map(|(name, form)| {
            let path = word.strip_prefix(name)?.strip_prefix('=')?;
            Some((form, path.into()))
        });
        named.unwrap_or((Self::AsIs, word.into()))
    }

    /// Behind the stream's name.
    pub(super) fn suffix(self) -> String {
        let name = Self::NAMES.into_iter().find(|(_, form)| *form == self);
        name.map_or_else(String::new, |(name, _)| format!(" as {name}"))
    }

    /// Every component is a whole number of 8 bits.
    pub(super) fn is_bytes(self) -> bool {
        matches!(self, Self::Int8 | Self::Bits)
    }
}

/// Makes rows of a form.
pub(super) struct Maker {
    form: Form,
    /// A step of int8.
    step: f32,
}

impl Maker {
    pub(super) fn new(form: Form, stream: &Stream) -> Self {
        let rows = stream.iter().flat_map(|event| event.row);
        let greatest = rows.fold(0.0, |greatest: f32, value| greatest.max(value.abs()));
        Self {
            form,
            step: greatest / 127.0,
        }
    }

    /// Components of a row that had `dim`.
    pub(super) fn dim(&self, dim: usize) -> usize {
        match self.form {
            Form::Bits => dim.div_ceil(8),
            _ => dim,
        }
    }

    pub(super) fn make(&self, row: &[f32]) -> Vec<f32> {
        match self.form {
            Form::AsIs => row.to_vec(),
            Form::Bf16 => row.iter().copied().map(bf16).collect(),
            Form::Int8 => row
                .iter()
                .map(|value| (value / self.step).round_ties_even().clamp(-127.0, 127.0) + 0.0)
                .collect(),
            Form::Bits => row.chunks(8).map(signs).collect(),
        }
    }
}

fn bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    let nearest = bits.saturating_add(0x7fff + (bits >> 16 & 1));
    f32::from_bits(nearest >> 16 << 16)
}

/// Which of eight components are above zero, the first in the lowest bit.
fn signs(values: &[f32]) -> f32 {
    let bits = values
        .iter()
        .rev()
        .fold(0, |bits: u8, value| bits << 1 | u8::from(*value > 0.0));
    f32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::{Form, bf16, signs};

    #[test]
    fn words_name_forms() {
        assert_eq!(Form::split("a/b"), (Form::AsIs, "a/b".into()));
        assert_eq!(Form::split("bits=a=b"), (Form::Bits, "a=b".into()));
        assert_eq!(Form::split("other=a"), (Form::AsIs, "other=a".into()));
        assert_eq!(Form::Int8.suffix(), " as int8");
    }

    #[test]
    fn rounds_to_nearest_and_packs_from_the_lowest_bit() {
        assert_eq!(bf16(f32::from_bits(0x3f80_8000)).to_bits(), 0x3f80_0000);
        assert_eq!(bf16(f32::from_bits(0x3f81_8000)).to_bits(), 0x3f82_0000);
        assert_eq!(signs(&[1.0, -1.0, 0.5, 0.0, -0.0, 0.1]), 37.0);
    }
}

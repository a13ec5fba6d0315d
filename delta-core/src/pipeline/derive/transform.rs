//! What becomes of rows and metadata on their way into a derived stream.

/// Turns rows of the source into rows of a derived stream. It must always make the same of the
/// same row.
pub trait Transform {
    /// Components of a derived row, at least 1.
    fn dim(&self, source_dim: u32) -> u32;
    /// Writes the derived row of `source` to `out`, which has the derived dim.
    fn row(&self, source: &[f32], out: &mut [f32]);
    /// Whether metadata travels on.
    fn keeps_metadata(&self) -> bool {
        true
    }
}

/// Rows as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

impl Transform for Identity {
    fn dim(&self, source_dim: u32) -> u32 {
        source_dim
    }

    fn row(&self, source: &[f32], out: &mut [f32]) {
        for (out, source) in out.iter_mut().zip(source) {
            *out = *source;
        }
    }
}

/// Some components, in the order of `dims`; +0.0 for one that the source does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Project<'a> {
    /// Their indices, at least one.
    pub dims: &'a [u32],
}

impl Transform for Project<'_> {
    fn dim(&self, _: u32) -> u32 {
        u32::try_from(self.dims.len()).unwrap_or(u32::MAX)
    }

    fn row(&self, source: &[f32], out: &mut [f32]) {
        for (out, index) in out.iter_mut().zip(self.dims) {
            *out = source.get(*index as usize).copied().unwrap_or(0.0);
        }
    }
}

/// Components with all but the highest `bits` of their 23 fraction bits cleared: rounded toward
/// zero, in steps of 2^-bits of their power of two. Infinities and NaN stay what they are.
///
/// Small changes vanish, and what is left takes fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantise<T> {
    /// Fraction bits that stay; 23 and more: all.
    pub bits: u32,
    /// What is done before.
    pub then: T,
}

impl<T: Transform> Transform for Quantise<T> {
    fn dim(&self, source_dim: u32) -> u32 {
        self.then.dim(source_dim)
    }

    fn row(&self, source: &[f32], out: &mut [f32]) {
        self.then.row(source, out);
        let mask = u32::MAX << 23_u32.saturating_sub(self.bits);
        for component in out.iter_mut().filter(|component| component.is_finite()) {
            *component = f32::from_bits(component.to_bits() & mask);
        }
    }

    fn keeps_metadata(&self) -> bool {
        self.then.keeps_metadata()
    }
}

/// No metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropMetadata<T>(pub T);

impl<T: Transform> Transform for DropMetadata<T> {
    fn dim(&self, source_dim: u32) -> u32 {
        self.0.dim(source_dim)
    }

    fn row(&self, source: &[f32], out: &mut [f32]) {
        self.0.row(source, out);
    }

    fn keeps_metadata(&self) -> bool {
        false
    }
}

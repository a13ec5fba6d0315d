//! The definition of every method, one lane at a time: the oracle of the other backends, and the
//! backend of targets without a vector unit.

use super::{Block, Vector};

/// Plain integer and float code.
#[derive(Debug)]
pub(crate) struct Scalar;

impl Vector for Scalar {
    #[inline(always)]
    fn changed_mask(old: &Block, new: &Block) -> u16 {
        mask_where(old, new, |old, new| old.to_bits() != new.to_bits())
    }

    #[inline(always)]
    fn changed_beyond_mask(old: &Block, new: &Block, epsilon: f32) -> u16 {
        mask_where(old, new, |old, new| {
            let within = (new - old).abs() <= epsilon;
            old.to_bits() != new.to_bits() && !within
        })
    }
}

/// The mask of the lanes for which `holds`.
#[inline(always)]
fn mask_where(old: &Block, new: &Block, holds: impl Fn(f32, f32) -> bool) -> u16 {
    let mut mask = 0;
    for (lane, (&old, &new)) in old.iter().zip(new).enumerate() {
        mask |= u16::from(holds(old, new)) << lane;
    }
    mask
}

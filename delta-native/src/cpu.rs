//! What this processor can do beyond what the program was compiled for.

use delta_core::kernel::VectorUnit;

/// The widest vector unit of this processor that the kernels gain from. Ask once and hand it on, as
/// by [`Query::on`](delta_core::kernel::distance::Query::on) or to
/// [`diff_on`](delta_core::kernel::diff::diff_on).
///
/// ```
/// use delta_core::kernel::distance::{Metric, Query};
///
/// let unit = delta_native::cpu::vector_unit();
/// let query = Query::new(Metric::SquaredL2, &[1.0, 2.0]).on(unit);
/// assert_eq!(query.distance_to(&[1.0, 4.0]), 4.0);
/// ```
#[must_use]
#[allow(
    unsafe_code,
    reason = "the core takes the processor's word from whoever may ask it"
)]
pub fn vector_unit() -> VectorUnit {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt") {
            // SAFETY: processor and operating system support all four: the line above asked both.
            return unsafe { VectorUnit::avx2() };
        }
    }
    VectorUnit::BASELINE
}

#[cfg(test)]
mod tests {
    use delta_core::codec::{Base, Bound, Encoding, Values, encode_as, encoded_size_max};
    use delta_core::kernel::VectorUnit;

    use super::vector_unit;
    use crate::synthetic::Random;

    fn encoded(unit: VectorUnit, bound: Option<Bound>, old: &[f32], new: &[f32]) -> (u8, Vec<u8>) {
        let mut bytes = vec![0; encoded_size_max(new.len())];
        let encoding = Encoding {
            bound,
            unit,
            ..Encoding::EXACT
        };
        let (tag, size) = encode_as(encoding, Base::Row(old), new, &mut bytes).unwrap();
        bytes.truncate(size);
        (tag as u8, bytes)
    }

    #[test]
    fn codecs_match_scalar_avx2() {
        let mut random = Random::new(7);
        for round in 0_u8..200 {
            let dim = 17 + 13 * usize::from(round % 40);
            let step = 0.5_f32.powi(i32::from(round % 20));
            let mut pair = |index: usize| {
                let (old, change) = (random.value(), step * random.value());
                // Rows that change everywhere, in every third component, and among few values.
                match round % 3 {
                    0 => (old, old + change),
                    1 if !index.is_multiple_of(3) => (old, old),
                    1 => (old, old + change),
                    _ => (
                        (old * 5.0).floor().exp(),
                        (old * 5.0 + change).floor().exp(),
                    ),
                }
            };
            let (old, new): (Vec<f32>, Vec<f32>) = (0..dim).map(&mut pair).unzip();
            for bound in [None, Some(Bound::new(3e-3).unwrap())] {
                let plain = encoded(VectorUnit::BASELINE, bound, &old, &new);
                let (tag, bytes) = encoded(vector_unit(), bound, &old, &new);
                assert_eq!((tag, &bytes), (plain.0, &plain.1));
                let values = Values::parse(tag, &bytes, u32::try_from(dim).unwrap()).unwrap();
                let rows = [VectorUnit::BASELINE, vector_unit()].map(|unit| {
                    let (mut scratch, mut row) = (vec![0; values.scratch_size()], old.clone());
                    let change = values.decode_on(unit, &old, &mut scratch).unwrap();
                    change.apply(&mut row);
                    row.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                });
                assert_eq!(rows[0], rows[1]);
            }
        }
    }
}

//! Floats to whole numbers, in a way that loops of it need one instruction a register.

/// A number cut towards 0; 0 of a NaN and of what is not below 2^28 in magnitude.
///
/// `as i32` defines what is beyond an i32, for which vector units have no instruction: a loop of it
/// runs lane by lane.
#[inline(always)]
pub(crate) fn cut(number: f32) -> i32 {
    const LIMIT: f32 = 268_435_456.0;
    // False for a NaN, too.
    let small = if number.abs() < LIMIT { number } else { 0.0 };
    // SAFETY: `small` is neither a NaN nor infinite, and its whole part, below 2^28 in magnitude,
    // fits an i32: the comparison above holds of it, or it is 0.
    unsafe { small.to_int_unchecked() }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts_towards_zero_within_the_limit() {
        for (number, whole) in [
            (0.0, 0),
            (-0.99, 0),
            (1.99, 1),
            (-7.5, -7),
            (268_435_440.0, 268_435_440),
            (268_435_456.0, 0),
            (-268_435_456.0, 0),
            (f32::NAN, 0),
            (f32::INFINITY, 0),
            (f32::NEG_INFINITY, 0),
        ] {
            assert_eq!(cut(number), whole, "{number}");
        }
    }
}

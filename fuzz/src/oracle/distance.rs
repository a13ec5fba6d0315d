//! Section 8: the pinned distances, one operation at a time.

const LANES: usize = 16;
const NAN: u32 = 0x7fc0_0000;

/// The metrics of the table.
#[derive(Clone, Copy, Debug)]
pub enum Metric {
    SquaredL2,
    Dot,
    Cosine,
}

/// The bits of the distance between rows of one dim.
pub fn distance(metric: Metric, a: &[f32], b: &[f32]) -> u32 {
    let distance = match metric {
        Metric::SquaredL2 => total(a, b, |a, b| {
            let difference = a - b;
            difference * difference
        }),
        Metric::Dot => 1.0 - dot(a, b),
        Metric::Cosine => {
            let lengths = dot(a, a).sqrt() * dot(b, b).sqrt();
            1.0 - dot(a, b) / lengths
        }
    };
    match distance.is_nan() {
        true => NAN,
        false => distance.to_bits(),
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    total(a, b, |a, b| a * b)
}

/// Sixteen sums of what the components give, then the tree of them.
fn total(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for i in 0..a.len().next_multiple_of(LANES) {
        let component = |row: &[f32]| row.get(i).copied().unwrap_or(0.0);
        sums[i % LANES] += of(component(a), component(b));
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

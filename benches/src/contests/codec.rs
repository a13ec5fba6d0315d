//! A row's change to bytes and back: encode takes the smallest codec, decode checks the bytes, adds
//! the change up for the digest, and sets the row.
//!
//! Three kinds of change: 5% of the components, all components by a little (a re-embedding), all
//! components anew. `ruvector-delta-core` computes, encodes sparse or dense, decodes and adds.

use std::hint::black_box;
use std::rc::Rc;

use delta_core::codec::{Base, Encoding, Tag, Values, encode, encode_as, encoded_size_max};
use delta_native::cpu;
use delta_native::synthetic::Random;
use ruvector_delta_core::{Delta, DeltaEncoding, HybridEncoding, VectorDelta};

use super::compressors::{Coder, Lz4, Pco, Rows, Zstd};
use crate::contest::{Contest, Unit};
use crate::timing::{Burst, batches};
use crate::workload::{PATTERNS, Workload, pick};

/// Rows that are encoded or decoded one after another, outside of which they are made.
const ROWS_AT_ONCE: usize = 4;

#[derive(Clone, Copy)]
enum Change {
    Sparse,
    Small,
    Anew,
}

/// Both dimensions, all kinds of change, both ways.
pub fn contests() -> Vec<Contest> {
    let kinds = [Change::Sparse, Change::Small, Change::Anew];
    [(384, 2_000.0, 1_500.0), (1_536, 8_000.0, 6_000.0)]
        .into_iter()
        .flat_map(|(dim, encode_ns, decode_ns)| {
            kinds.into_iter().flat_map(move |change| {
                [
                    encoding(dim, change).limit(encode_ns),
                    decoding(dim, change).limit(decode_ns),
                ]
            })
        })
        .collect()
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Sparse => "5% of the components",
            Self::Small => "all components by a little",
            Self::Anew => "all components anew",
        }
    }

    fn workload(self, dim: usize) -> Workload {
        let percent = match self {
            Self::Sparse => 5.0,
            Self::Small | Self::Anew => 100.0,
        };
        Workload::new(dim, percent, PATTERNS, 1)
    }

    /// Makes the change of `step` to `row`, which is the workload's.
    fn make(self, workload: &Workload, step: u64, row: &mut [f32]) {
        match self {
            Self::Sparse | Self::Anew => workload.change(step, row),
            Self::Small => {
                let mut random = Random::new(step);
                for component in row {
                    *component += *component * random.value() * 1e-3;
                }
            }
        }
    }
}

fn encoding(dim: usize, change: Change) -> Contest {
    let workload = Rc::new(change.workload(dim));
    let old = pick(workload.rows(), 0).clone();
    let mut bytes = vec![0; encoded_size_max(dim)];
    let encoding = Encoding {
        unit: cpu::vector_unit(),
        ..Encoding::EXACT
    };
    let ours = rows(&workload, change, move |new| {
        encode_as(encoding, Base::Row(black_box(&old)), new, &mut bytes)
    });
    let old = pick(workload.rows(), 0).clone();
    let hybrid = HybridEncoding::new();
    let peer = rows(&workload, change, move |new| {
        let delta = VectorDelta::compute(black_box(&old), new);
        hybrid.encode(&delta).map(|bytes| bytes.len())
    });
    let work = format!("encode {dim}-d, {}", change.name());
    let contest = Contest::new(work, Unit::Nanoseconds, ours);
    let contest = contest.peer("ruvector-delta-core", None, peer);
    let contest = encoder(contest, Lz4::default(), &workload, change);
    let contest = match Zstd::new() {
        Some(zstd) => encoder(contest, zstd, &workload, change),
        None => contest,
    };
    encoder(contest, Pco::default(), &workload, change)
}

/// Adds a compressor that encodes the same rows.
fn encoder<C: Coder + 'static>(
    contest: Contest,
    coder: C,
    workload: &Rc<Workload>,
    change: Change,
) -> Contest {
    let old = pick(workload.rows(), 0).clone();
    let mut coder = Rows::new(coder, old.len());
    let burst = rows(workload, change, move |new| {
        coder.encode(black_box(&old), new).map(<[u8]>::len)
    });
    contest.peer(C::NAME, None, burst)
}

/// Adds a compressor that decodes the changes of the same rows, `news`, into `row`.
fn decoder<C: Coder + 'static>(
    contest: Contest,
    coder: C,
    row: &[f32],
    news: &[Vec<f32>],
) -> Contest {
    let mut coder = Rows::new(coder, row.len());
    let encoded = news
        .iter()
        .map(|new| coder.encode(row, new).unwrap_or_default().to_vec());
    let encoded = Rc::new(encoded.collect::<Vec<_>>());
    let burst = applied(encoded, row, move |row, bytes| coder.decode(bytes, row));
    contest.peer(C::NAME, None, burst)
}

fn decoding(dim: usize, change: Change) -> Contest {
    let workload = change.workload(dim);
    let row = pick(workload.rows(), 0).clone();
    let hybrid = HybridEncoding::new();
    let news: Vec<_> = (0..PATTERNS as u64)
        .map(|step| {
            let mut new = row.clone();
            change.make(&workload, step, &mut new);
            new
        })
        .collect();
    let (ours, peers): (Vec<_>, Vec<_>) = news
        .iter()
        .map(|new| {
            let mut bytes = vec![0; encoded_size_max(dim)];
            let encoded = encode(Base::Row(&row), new, &mut bytes);
            let (tag, size) = encoded.unwrap_or((Tag::Same, 0));
            bytes.truncate(size);
            let delta = VectorDelta::compute(&row, new);
            let peer_bytes = hybrid.encode(&delta).unwrap_or_default();
            ((tag as u8, bytes), peer_bytes)
        })
        .unzip();
    let dim_u32 = u32::try_from(dim).unwrap_or(u32::MAX);
    let mut scratch = vec![0; encoded_size_max(dim)];
    let unit = cpu::vector_unit();
    let ours = applied(Rc::new(ours), &row, move |row, (tag, bytes)| {
        let values = Values::parse(*tag, bytes, dim_u32).ok()?;
        let change = values.decode_on(unit, row, &mut scratch).ok()?;
        let sum = change.change_sum(row);
        change.apply(row);
        Some(sum)
    });
    let peer = applied(Rc::new(peers), &row, move |row, bytes: &Vec<u8>| {
        hybrid.decode(bytes).and_then(|delta| delta.apply(row)).ok()
    });
    let work = format!("decode and apply {dim}-d, {}", change.name());
    let contest = Contest::new(work, Unit::Nanoseconds, ours);
    let contest = contest.peer("ruvector-delta-core", None, peer);
    let contest = decoder(contest, Lz4::default(), &row, &news);
    let contest = match Zstd::new() {
        Some(zstd) => decoder(contest, zstd, &row, &news),
        None => contest,
    };
    decoder(contest, Pco::default(), &row, &news)
}

/// Times `routine(new)` over rows that were changed outside the measured time.
fn rows<R: 'static>(
    workload: &Rc<Workload>,
    change: Change,
    mut routine: impl FnMut(&Vec<f32>) -> R + 'static,
) -> Burst {
    let workload = Rc::clone(workload);
    let old = pick(workload.rows(), 0).clone();
    batches(
        ROWS_AT_ONCE,
        vec![old.clone(); ROWS_AT_ONCE],
        move |rows, first_step| {
            for (step, row) in (first_step..).zip(rows) {
                row.copy_from_slice(&old);
                change.make(&workload, step, row);
            }
        },
        move |rows, place| rows.get(place).map(|new| routine(black_box(new))),
    )
}

/// Times `apply` on changes and on rows that both were copied outside the measured time: values
/// that are relative apply to the row that they were encoded against, and to no other.
///
/// # Panics
///
/// If a change is refused: what ends early would be measured as fast.
fn applied<D: Clone + 'static, R: 'static>(
    changes: Rc<Vec<D>>,
    row: &[f32],
    mut apply: impl FnMut(&mut Vec<f32>, &D) -> Option<R> + 'static,
) -> Burst {
    let old = row.to_vec();
    let pairs = vec![(old.clone(), None); ROWS_AT_ONCE];
    batches(
        ROWS_AT_ONCE,
        pairs,
        move |pairs, first_step| {
            for (step, (row, change)) in (first_step..).zip(pairs) {
                row.copy_from_slice(&old);
                *change = Some(pick(&changes, step).clone());
            }
        },
        move |pairs, place| {
            let (row, change) = pairs.get_mut(place)?;
            let applied = apply(black_box(row), change.as_ref()?);
            assert!(
                applied.is_some(),
                "a change fits the row that it was made from"
            );
            applied
        },
    )
}

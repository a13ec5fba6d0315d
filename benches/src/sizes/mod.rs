//! Sizes of encoded updates, beside general compressors.
//!
//! A compressor is given what suits it best of three: the new row, its bits xor those of the old
//! row, and the difference of both as ordered integers (zigzag). It sees one row at a time, as a
//! row has to travel; `pco` also 64 at a time.

mod form;
mod peers;
mod plot;
mod recall;

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use delta_core::codec::{Base, Bound, Encoding, Values, encode_as, encoded_size_max};
use delta_native::replay::{Options, Report, replay};
use delta_native::stream::{Operation, Stream};

pub use form::Form;
use form::Maker;
use peers::Peers;
pub(crate) use peers::{ordered_difference, ordered_sum};
pub use plot::plot;

/// Updates that share a record in a replay by batches.
const BATCH: u32 = 16;

/// Bytes of all updates of a stream, and the median of raw / bytes.
#[derive(Clone, Debug, Default)]
struct Tally {
    bytes: u64,
    ratios: Vec<f64>,
}

impl Tally {
    #[expect(clippy::cast_precision_loss, reason = "a row's size fits 32 bits")]
    fn add(&mut self, raw: usize, bytes: usize) {
        self.bytes += bytes as u64;
        self.ratios.push(raw as f64 / bytes as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn total(&self, raw: usize) -> f64 {
        (raw * self.ratios.len()) as f64 / self.bytes.max(1) as f64
    }

    fn median(&self) -> f64 {
        let mut ratios = self.ratios.clone();
        ratios.sort_unstable_by(f64::total_cmp);
        let upper = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
        let lower = ratios.get(ratios.len().saturating_sub(1) / 2);
        f64::midpoint(lower.copied().unwrap_or(upper), upper)
    }
}

/// Updates that the smallest peer needs fewer bytes for than ours.
#[derive(Clone, Copy, Debug, Default)]
struct Beaten {
    rows: usize,
    /// Bytes that ours needs more, of all of them and of the one where it is most.
    bytes: usize,
    most: usize,
}

impl Beaten {
    fn add(&mut self, ours: usize, best: usize) {
        if best < ours {
            self.rows += 1;
            self.bytes += ours - best;
            self.most = self.most.max(ours - best);
        }
    }

    fn show(self, rows: usize) -> String {
        let Self {
            rows: lost,
            bytes,
            most,
        } = self;
        match lost {
            0 => format!("0 of {rows}"),
            _ => format!(
                "{lost} of {rows}, by {} bytes, at most {most}",
                bytes.div_ceil(lost)
            ),
        }
    }
}

/// What was measured of one stream.
#[derive(Debug)]
pub struct Sizes {
    name: String,
    /// Bytes of a row.
    raw: usize,
    exact: Tally,
    bounded: Tally,
    peers: Peers,
    beaten: Beaten,
    /// Without and with a bound, single records and by 16, headers included: of streams that are
    /// replayed as they are.
    replayed: Option<[[Report; 2]; 2]>,
    /// Of the 10 nearest rows of a row, the share that the bounded rows find, too.
    recall_at_10: Option<f64>,
}

impl Sizes {
    /// Encodes all updates of the stream at `path`, exactly and within `bound`. Values carry their
    /// tag.
    ///
    /// # Errors
    /// If the stream cannot be loaded or replayed, or an update does not come out as it went in.
    pub fn measure(form: Form, path: &Path, bound: Bound) -> anyhow::Result<Self> {
        let stream = Stream::load(path)?;
        let maker = Maker::new(form, &stream);
        let dim = maker.dim(stream.dim() as usize);
        let mut rows = Rows::new(dim, stream.slots() as usize);
        let mut sizes = Self {
            name: stream.name().to_owned() + &form.suffix(),
            raw: 4 * dim,
            exact: Tally::default(),
            bounded: Tally::default(),
            peers: Peers::default(),
            beaten: Beaten::default(),
            replayed: None,
            recall_at_10: None,
        };
        let within = Encoding {
            bound: Some(bound),
            ..Encoding::EXACT
        };
        for event in stream.iter() {
            let new = maker.make(event.row);
            match event.operation {
                Operation::Insert => {
                    rows.shadow(event.slot, None, within, &new)?;
                    rows.exact(event.slot).copy_from_slice(&new);
                }
                Operation::Update => {
                    let old = rows.exact(event.slot).to_vec();
                    let size = encoded_size(Encoding::EXACT, Base::Row(&old), &old, &new)?.0;
                    sizes.exact.add(sizes.raw, size);
                    let best = sizes.peers.add(&old, &new, form.is_bytes())?;
                    sizes.beaten.add(size, best);
                    let size = rows.shadow(event.slot, Some(()), within, &new)?;
                    sizes.bounded.add(sizes.raw, size);
                    rows.exact(event.slot).copy_from_slice(&new);
                }
                Operation::Delete => rows.delete(event.slot),
            }
        }
        sizes.peers.finish()?;
        sizes.recall_at_10 = recall::at_10(&rows.live());
        if form == Form::AsIs {
            let report = |encoding, batch| {
                let options = Options {
                    batch,
                    encoding,
                    ..Options::default()
                };
                replay(&stream, &options)
            };
            let both = |encoding| anyhow::Ok([report(encoding, 1)?, report(encoding, BATCH)?]);
            sizes.replayed = Some([both(Encoding::EXACT)?, both(within)?]);
        }
        Ok(sizes)
    }
}

/// Bytes with the tag, and the row after; it must be the new one, if the codec is exact.
fn encoded_size(
    encoding: Encoding,
    base: Base<'_>,
    old: &[f32],
    new: &[f32],
) -> anyhow::Result<(usize, Vec<f32>)> {
    let mut out = vec![0; encoded_size_max(new.len())];
    let (tag, size) = encode_as(encoding, base, new, &mut out)?;
    let dim = u32::try_from(new.len()).context("too long a row")?;
    let values = Values::parse(tag as u8, out.get(..size).unwrap_or_default(), dim)?;
    let mut scratch = vec![0; values.scratch_size()];
    let mut row = old.to_vec();
    values.decode(old, &mut scratch)?.apply(&mut row);
    let same = row.iter().zip(new).all(|(a, b)| a.to_bits() == b.to_bits());
    anyhow::ensure!(tag.is_lossy() || same, "{} is not exact", tag.name());
    Ok((values.size(), row))
}

/// The rows of a stream, as they are and as a lossy reader has them.
struct Rows {
    dim: usize,
    exact: Vec<f32>,
    shadow: Vec<f32>,
    deleted: Vec<bool>,
}

impl Rows {
    fn new(dim: usize, slots: usize) -> Self {
        Self {
            dim,
            exact: vec![0.0; slots * dim],
            shadow: vec![0.0; slots * dim],
            deleted: vec![false; slots],
        }
    }

    fn exact(&mut self, slot: u32) -> &mut [f32] {
        let start = slot as usize * self.dim;
        self.exact
            .get_mut(start..start + self.dim)
            .unwrap_or_default()
    }

    /// Moves the shadow's row on; `update`: from what it is, else from zero. Bytes with the tag.
    fn shadow(
        &mut self,
        slot: u32,
        update: Option<()>,
        encoding: Encoding,
        new: &[f32],
    ) -> anyhow::Result<usize> {
        let start = slot as usize * self.dim;
        let row = self
            .shadow
            .get_mut(start..start + self.dim)
            .unwrap_or_default();
        let old = row.to_vec();
        let base = if update.is_some() {
            Base::Row(&old)
        } else {
            Base::Zero
        };
        let (size, after) = encoded_size(encoding, base, &old, new)?;
        row.copy_from_slice(&after);
        Ok(size)
    }

    fn delete(&mut self, slot: u32) {
        if let Some(deleted) = self.deleted.get_mut(slot as usize) {
            *deleted = true;
        }
    }

    /// Exact and bounded rows of what is not deleted.
    fn live(&self) -> Vec<(&[f32], &[f32])> {
        let rows = self
            .exact
            .chunks(self.dim)
            .zip(self.shadow.chunks(self.dim));
        let live = rows.zip(&self.deleted).filter(|(_, deleted)| !**deleted);
        live.map(|(rows, _)| rows).collect()
    }
}

/// The figures as Markdown.
#[must_use]
pub fn table(sizes: &[Sizes]) -> String {
    let mut text = String::from(
        "| stream | updates x dim | exact: total, median | LZ4 | zstd -3 | pco | best of the \
         three, row by row: total, median | rows that ours loses to it | pco by 64 | bounded: \
         total, median | wire, exact: total, median | by 16 | wire, bounded: total, median | by \
         16 | recall@10 |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for s in sizes {
        let pair = |tally: &Tally| format!("{:.2}, {:.2}", tally.total(s.raw), tally.median());
        let [exact, exact_by_16] = s.wires(0);
        let [bounded, bounded_by_16] = s.wires(1);
        let [lz4, zstd, pco, by_64] = s.peers.totals(s.raw);
        let recall = s
            .recall_at_10
            .map_or("".to_owned(), |recall| format!("{recall:.4}"));
        let updates = s.exact.ratios.len();
        // Writing to a string cannot fail.
        let _written = writeln!(
            text,
            "| {} | {updates} x {} | {} | {lz4:.2} | {zstd:.2} | {pco:.2} | {} | {} | {by_64:.2} \
             | {} | {exact} | {exact_by_16} | {bounded} | {bounded_by_16} | {recall} |",
            s.name,
            s.raw / 4,
            pair(&s.exact),
            pair(s.peers.best()),
            s.beaten.show(updates),
            pair(&s.bounded),
        );
    }
    text
}

impl Sizes {
    /// Ratios of records, single and by 16; of exact ones (0), of those within the bound (1).
    fn wires(&self, number: usize) -> [String; 2] {
        let reports = self.replayed.as_ref().and_then(|both| both.get(number));
        reports.map_or_else(Default::default, |reports| {
            reports.each_ref().map(|report| {
                let (total, median) = (report.wire_ratio_total, report.wire_ratio_median);
                format!("{total:.2}, {median:.2}")
            })
        })
    }
}

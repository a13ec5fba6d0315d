//! Ratios as bars.

use std::path::Path;

use plotters::prelude::*;

use super::Sizes;

/// Width of a stream's group of bars, the gap behind it included.
const GROUP: f64 = 1.0;
const GREATEST_RATIO: f64 = 32.0;

/// Draws the total ratio of each codec and peer, a group of bars a stream, ratios on a logarithmic
/// axis.
///
/// # Errors
/// If the file cannot be written.
pub fn plot(sizes: &[Sizes], file: &Path) -> anyhow::Result<()> {
    let series = ["LZ4", "zstd -3", "pco", "ours, exact", "ours, bounded"];
    let groups = f64::from(u32::try_from(sizes.len())?);
    let root = SVGBackend::new(file, (1500, 500)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("raw / encoded values, all updates", ("sans-serif", 20))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(40)
        .build_cartesian_2d(0.0..groups * GROUP, (0.9..GREATEST_RATIO).log_scale())?;
    let name = |x: &f64| {
        let number = sizes.iter().enumerate().find(|(number, _)| {
            (f64::from(u32::try_from(*number).unwrap_or(0)) + 0.5 - x).abs() < 0.26
        });
        number.map_or(String::new(), |(_, sizes)| sizes.name.clone())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * sizes.len() + 1)
        .x_label_formatter(&name)
        .draw()?;
    for (number, label) in (0_u32..).zip(series) {
        let color = Palette99::pick(number as usize).mix(0.9);
        let bars = (0_u32..).zip(sizes).map(|(group, sizes)| {
            let [lz4, zstd, pco, ..] = sizes.peers.totals(sizes.raw);
            let ours = [sizes.exact.total(sizes.raw), sizes.bounded.total(sizes.raw)];
            let ratios = [lz4, zstd, pco, ours[0], ours[1]];
            let ratio = ratios.get(number as usize).copied().unwrap_or(1.0);
            let left = f64::from(group) * GROUP + 0.1 + f64::from(number) * 0.16;
            let top = ratio.min(GREATEST_RATIO);
            Rectangle::new([(left, 0.9), (left + 0.15, top)], color.filled())
        });
        chart
            .draw_series(bars)?
            .label(label)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], color.filled()));
    }
    chart
        .configure_series_labels()
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}

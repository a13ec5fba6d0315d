//! Ratios as bars, for BENCHMARKS.md.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::prelude::*;

use crate::measure::Row;

const ROW_HEIGHT: u32 = 20;
const WIDTH: u32 = 1_100;
const LABELS: u32 = 560;
const MARGIN: u32 = 50;

/// Draws nanoseconds against rows, both logarithmic.
///
/// # Errors
///
/// If the file cannot be written.
pub fn costs(costs: &[(f64, f64)], file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(20)
        .caption(
            "nanoseconds an update, by rows of the table",
            ("sans-serif", 16),
        )
        .set_label_area_size(LabelAreaPosition::Left, 60)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d((500.0..2e6).log_scale(), (100.0..10_000.0).log_scale())?;
    chart.configure_mesh().draw()?;
    let points = costs.iter().copied();
    chart.draw_series(LineSeries::new(points.clone(), BLUE.stroke_width(2)))?;
    chart.draw_series(points.map(|point| Circle::new(point, 4, BLUE.filled())))?;
    root.present().context("cannot write the plot")
}

/// Draws the ratio of every row on a logarithmic scale, and its bar as a black stroke.
///
/// # Errors
///
/// If the file cannot be written.
pub fn ratios(rows: &[Row], file: &Path) -> Result<()> {
    let count = u32::try_from(rows.len()).context("too many rows for a plot")?;
    let height = count * ROW_HEIGHT + 2 * MARGIN;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(MARGIN / 2)
        .set_label_area_size(LabelAreaPosition::Left, LABELS)
        .set_label_area_size(LabelAreaPosition::Bottom, MARGIN / 2)
        .build_cartesian_2d((0.1..1_000.0).log_scale(), 0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_label_formatter(&|ratio| format!("{ratio}x"))
        .draw()?;
    for (place, row) in (0..).zip(rows.iter().rev()) {
        let color = match row.met {
            Some(true) => RGBColor(46, 125, 50),
            Some(false) => RGBColor(198, 40, 40),
            None => RGBColor(120, 144, 156),
        };
        let ratio = row.ratio.clamp(0.1, 1_000.0);
        let span = [(ratio.min(1.0), place), (ratio.max(1.0), place + 1)];
        let mut bar = Rectangle::new(span, color.filled());
        bar.set_margin(3, 3, 0, 0);
        chart.draw_series(std::iter::once(bar))?;
        if let Some(limit) = row.bar {
            let stroke = [(limit, place), (limit, place + 1)];
            chart.draw_series(std::iter::once(PathElement::new(
                stroke,
                BLACK.stroke_width(2),
            )))?;
        }
        let label = format!("{} | {} {:.2}x", row.work, row.peer_name, row.ratio);
        let from_top = (count - 1 - place) * ROW_HEIGHT + MARGIN / 2 + 4;
        let style = ("sans-serif", 12).into_font().color(&BLACK);
        let at = (i32::try_from(MARGIN / 2)?, i32::try_from(from_top)?);
        root.draw_text(&label, &style, at)?;
    }
    root.present().context("cannot write the plot")
}

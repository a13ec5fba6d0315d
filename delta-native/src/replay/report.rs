//! What a replay found out.

use delta_core::pipeline::counters::Counters;
use serde::Serialize;

use super::graph::GraphReport;
use super::meter::Meter;
use super::pass::Pass;
use super::stages::StageReport;
use crate::stream::Stream;
use crate::telemetry;

/// The figures of one replayed stream. Sizes in bytes; `raw`, `value`, `wire` and `metadata` are of
/// updates alone.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The stream's name.
    pub stream: String,
    /// Components of a row.
    pub dim: u32,
    /// Events: inserts, updates and deletes.
    pub deltas: u64,
    /// Inserts.
    pub inserts: u64,
    /// Updates.
    pub updates: u64,
    /// Deletes.
    pub deletes: u64,
    /// Records that carried them, control records included.
    pub records: u64,
    /// New values as they are: four bytes a component.
    pub raw_bytes: u64,
    /// Encoded values with their tag.
    pub value_bytes: u64,
    /// Whole records with their header but without metadata; of a record in a batch, its share.
    pub wire_bytes: u64,
    /// Metadata sections as they travel.
    pub metadata_bytes: u64,
    /// raw / value in total; 0 without updates, as the other ratios.
    pub ratio_total: f64,
    /// Median over updates of raw / value.
    pub ratio_median: f64,
    /// raw / wire in total.
    pub wire_ratio_total: f64,
    /// Median over updates of raw / wire.
    pub wire_ratio_median: f64,
    /// Events a second, from the first capture to the last apply.
    pub deltas_per_s: f64,
    /// Median nanoseconds from before capture to after apply, one delta in flight.
    pub latency_ns_p50: u64,
    /// 99th percentile of the same.
    pub latency_ns_p99: u64,
    /// Memory of the passes.
    pub memory: Memory,
    /// What both ends counted, at full speed.
    pub traffic: Traffic,
    /// Replica and primary agree in every bit of rows, ids, metadata and tombstones, after both
    /// passes, and the digest that travelled is that of the replica.
    pub replica_identical: bool,
    /// Where they first differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// State digest after the last record, 16 hex digits.
    pub digest: String,
    /// What a replay with an index found.
    #[serde(flatten)]
    pub graph: Option<GraphReport>,
    /// What the stages came to that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageReport>,
}

/// What both ends of the ring counted while the stream went as fast as it could.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Traffic {
    /// The capturing end.
    pub writer: EndTraffic,
    /// The applying end.
    pub reader: EndTraffic,
}

/// What one end of a ring counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct EndTraffic {
    /// Records sent or applied.
    pub records: u64,
    /// Records skipped as known.
    pub duplicates: u64,
    /// Records refused, for any reason.
    pub refused: u64,
    /// Bytes of the changed rows, as they are.
    pub raw_bytes: u64,
    /// Bytes of the records.
    pub encoded_bytes: u64,
    /// Microseconds spent waiting for room.
    pub backpressure_us: u64,
    /// Records by which the reader was behind at the last look.
    pub lag_records: u64,
}

impl Traffic {
    /// Tells the program's recorder too.
    pub(super) fn of(stream: &str, writer: &Counters, reader: &Counters) -> Self {
        let end = |name, counters: &Counters| {
            let now = counters.snapshot();
            telemetry::publish(stream, name, &now);
            EndTraffic {
                records: now.records,
                duplicates: now.duplicates,
                refused: now.refused.iter().sum(),
                raw_bytes: now.raw_bytes,
                encoded_bytes: now.encoded_bytes,
                backpressure_us: now.backpressure_us,
                lag_records: now.lag_records,
            }
        };
        Self {
            writer: end("writer", writer),
            reader: end("reader", reader),
        }
    }
}

/// Memory that a replay uses, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Rows and slot states of the primary and its sequencer.
    pub primary_bytes: usize,
    /// The rows that a lossy replica has, kept by the writing side.
    pub shadow_bytes: usize,
    /// Rows and slots of the replica.
    pub replica_bytes: usize,
    /// The ring's region.
    pub ring_bytes: usize,
    /// Ids and metadata of primary and replica.
    pub attributes_bytes: usize,
    /// The loaded stream.
    pub stream_bytes: usize,
    /// Sizes and times noted for this report.
    pub measurement_bytes: usize,
}

impl Report {
    /// Nothing differs.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.replica_identical
            && self.graph.as_ref().is_none_or(GraphReport::is_sound)
            && self.stages.iter().all(|stage| stage.identical)
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(super) fn new(
        stream: &Stream,
        throughput: Pass,
        latency: Pass,
        graph: Option<GraphReport>,
    ) -> Self {
        let counts = stream.counts();
        let raw = 4.0 * f64::from(stream.dim());
        let Meter {
            updates,
            wire_bytes,
            metadata_bytes,
            records,
            ..
        } = throughput.meter;
        let value_bytes = updates
            .iter()
            .map(|size| u64::from(size.value_bytes))
            .sum::<u64>();
        let raw_bytes = 4 * u64::from(stream.dim()) * counts.updates;
        let ratio = |bytes: u64| {
            if bytes == 0 {
                0.0
            } else {
                raw_bytes as f64 / bytes as f64
            }
        };
        let deltas = stream.len() as u64;
        let mut latencies_ns = latency.latencies_ns;
        latencies_ns.sort_unstable();
        let memory = stream.memory();
        let passes_differ = throughput.digest != latency.digest;
        let difference = throughput
            .difference
            .or(latency.difference)
            .or_else(|| passes_differ.then(|| "the state after the second pass".to_owned()));
        Self {
            stream: stream.name().to_owned(),
            dim: stream.dim(),
            deltas,
            inserts: counts.inserts,
            updates: counts.updates,
            deletes: counts.deletes,
            records,
            raw_bytes,
            value_bytes,
            wire_bytes,
            metadata_bytes,
            ratio_total: ratio(value_bytes),
            ratio_median: median(
                updates
                    .iter()
                    .map(|s| raw / f64::from(s.value_bytes))
                    .collect(),
            ),
            wire_ratio_total: ratio(wire_bytes),
            wire_ratio_median: median(
                updates
                    .iter()
                    .map(|s| raw / f64::from(s.wire_bytes))
                    .collect(),
            ),
            deltas_per_s: deltas as f64 / throughput.elapsed.as_secs_f64().max(1e-9),
            latency_ns_p50: percentile(&latencies_ns, 50),
            latency_ns_p99: percentile(&latencies_ns, 99),
            memory: Memory {
                stream_bytes: memory.rows_bytes + memory.text_bytes + memory.events_bytes,
                measurement_bytes: throughput.memory.measurement_bytes
                    + latency.memory.measurement_bytes,
                ..throughput.memory
            },
            traffic: throughput.traffic,
            replica_identical: difference.is_none(),
            difference,
            digest: format!("{:016x}", throughput.digest),
            graph,
            stages: Vec::new(),
        }
    }
}

/// The middle value, or the mean of the two middle ones; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied();
    let lower = values.get(values.len().saturating_sub(1) / 2).copied();
    lower
        .zip(upper)
        .map_or(0.0, |(lower, upper)| f64::midpoint(lower, upper))
}

/// The smallest value that at least `percent` of all do not exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;

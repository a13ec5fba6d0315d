//! Counters for the `metrics` facade: whatever recorder a program installs sees them.
//!
//! ```
//! use delta_core::pipeline::counters::Counters;
//!
//! let counters = Counters::default();
//! // Now and then, by any thread:
//! delta_native::telemetry::publish("docs", "reader", &counters.snapshot());
//! ```

use delta_core::pipeline::counters::{CounterSnapshot, REASONS};
use metrics::{counter, gauge};

/// Tells the installed recorder what the counters of an end (`"writer"`, `"reader"`, or a name of
/// the caller's) of the stream `stream` are.
#[expect(clippy::cast_precision_loss, reason = "gauges are f64")]
pub fn publish(stream: &str, end: &str, now: &CounterSnapshot) {
    let (stream, end) = (|| stream.to_owned(), || end.to_owned());
    for (name, value) in [
        ("delta_records_total", now.records),
        ("delta_records_duplicate_total", now.duplicates),
        ("delta_records_held_total", now.held),
        ("delta_raw_bytes_total", now.raw_bytes),
        ("delta_encoded_bytes_total", now.encoded_bytes),
        ("delta_backpressure_us_total", now.backpressure_us),
    ] {
        counter!(name, "stream" => stream(), "end" => end()).absolute(value);
    }
    for (reason, refused) in REASONS.iter().zip(now.refused) {
        let labels = [
            ("stream", stream()),
            ("end", end()),
            ("reason", (*reason).to_owned()),
        ];
        counter!("delta_records_refused_total", &labels).absolute(refused);
    }
    gauge!("delta_ring_records", "stream" => stream(), "end" => end()).set(now.ring_records as f64);
    gauge!("delta_lag_records", "stream" => stream(), "end" => end()).set(now.lag_records as f64);
    gauge!("delta_lag_us", "stream" => stream(), "end" => end()).set(now.lag_us as f64);
}

/// Counts what a server sent of a stream: any number of threads may.
pub(crate) fn served(stream: &str, records: u64, bytes: u64) {
    counter!("delta_served_records_total", "stream" => stream.to_owned()).increment(records);
    counter!("delta_served_bytes_total", "stream" => stream.to_owned()).increment(bytes);
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;

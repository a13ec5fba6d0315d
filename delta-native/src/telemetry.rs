//! Counters for the `metrics` facade: whatever recorder a program installs sees them.
//!
//! ```
//! use delta_core::counters::Counters;
//!
//! let counters = Counters::default();
//! // Now and then, by any thread:
//! delta_native::telemetry::publish("docs", &counters.snapshot());
//! ```

use delta_core::counters::{CounterSnapshot, REASONS};
use metrics::{counter, gauge};

/// Tells the installed recorder what the counters of the stream `stream` are.
#[expect(clippy::cast_precision_loss, reason = "gauges are f64")]
pub fn publish(stream: &str, now: &CounterSnapshot) {
    let stream = || stream.to_owned();
    for (name, value) in [
        ("delta_records_applied_total", now.applied),
        ("delta_records_duplicate_total", now.duplicates),
        ("delta_records_held_total", now.held),
        ("delta_raw_bytes_total", now.raw_bytes),
        ("delta_encoded_bytes_total", now.encoded_bytes),
        ("delta_backpressure_us_total", now.backpressure_us),
    ] {
        counter!(name, "stream" => stream()).absolute(value);
    }
    for (reason, refused) in REASONS.iter().zip(now.refused) {
        counter!("delta_records_refused_total", "stream" => stream(), "reason" => *reason)
            .absolute(refused);
    }
    gauge!("delta_ring_records", "stream" => stream()).set(now.ring_records as f64);
    gauge!("delta_lag_records", "stream" => stream()).set(now.lag_records as f64);
    gauge!("delta_lag_us", "stream" => stream()).set(now.lag_us as f64);
}

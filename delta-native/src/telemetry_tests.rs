use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::replay::{Options, replay};
use crate::sample;

type Values = Arc<Mutex<BTreeMap<String, u64>>>;

/// Keeps the last absolute value of every counter.
#[derive(Default)]
struct Ledger {
    values: Values,
}

struct Entry {
    name: String,
    values: Values,
}

impl CounterFn for Entry {
    fn increment(&self, value: u64) {
        *self
            .values
            .lock()
            .unwrap()
            .entry(self.name.clone())
            .or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.values.lock().unwrap().insert(self.name.clone(), value);
    }
}

impl Recorder for Ledger {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key.labels().map(metrics::Label::value).collect();
        let entry = Entry {
            name: format!("{} {}", key.name(), labels.join(" ")),
            values: self.values.clone(),
        };
        Counter::from_arc(Arc::new(entry))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn a_recorder_sees_what_a_replay_counted() {
    let ledger = Ledger::default();
    let stream = &sample::streams().unwrap()[1];
    let report =
        metrics::with_local_recorder(&ledger, || replay(stream, &Options::default()).unwrap());
    let values = ledger.values.lock().unwrap();
    // The last pass has a record for every event, and start and end.
    let records = stream.len() as u64 + 2;
    let of_end = |name: &str, end: &str| values[&format!("{name} {} {end}", stream.name())];
    for end in ["writer", "reader"] {
        assert_eq!(of_end("delta_records_total", end), records);
        let raw = 4 * u64::from(stream.dim()) * stream.counts().updates;
        assert!(of_end("delta_raw_bytes_total", end) >= raw);
        assert_eq!(of_end("delta_records_duplicate_total", end), 0);
    }
    let bytes = |end| of_end("delta_encoded_bytes_total", end);
    assert_eq!(bytes("writer"), bytes("reader"));
    let gaps = format!("delta_records_refused_total {} reader gap", stream.name());
    assert_eq!(values[&gaps], 0);
    assert_eq!(report.traffic.writer.records, report.traffic.reader.records);
    assert_eq!(report.traffic.reader.refused, 0);
    assert_eq!(report.traffic.reader.lag_records, 0);
}

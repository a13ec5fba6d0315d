use std::time::Duration;

use super::*;
use crate::fixtures::f32s;
use crate::replay::meter::UpdateSize;

fn same(found: f64, expected: f64) {
    assert_eq!(
        found.to_bits(),
        expected.to_bits(),
        "{found} is not {expected}"
    );
}

#[test]
fn medians_of_odd_even_and_no_values() {
    same(median(vec![3.0, 1.0, 2.0]), 2.0);
    same(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    same(median(vec![]), 0.0);
}

#[test]
fn percentiles_are_the_nearest_rank() {
    let sorted: Vec<u64> = (1..=200).collect();
    assert_eq!(percentile(&sorted, 50), 100);
    assert_eq!(percentile(&sorted, 99), 198);
    assert_eq!(percentile(&[7], 50), 7);
    assert_eq!(percentile(&[], 99), 0);
}

/// Snapshots of 4 components: an insert and three updates, 16 raw bytes each.
fn stream() -> Stream {
    let file = f32s(&[4, 4], &[0.0; 16]);
    Stream::load_embedded("four", &[("four.npy", &file)]).unwrap()
}

fn pass(latencies_ns: Vec<u64>) -> Pass {
    let update = |value_bytes, wire_bytes| UpdateSize {
        value_bytes,
        wire_bytes,
    };
    Pass {
        traffic: Traffic::default(),
        meter: Meter {
            inserts: 1,
            records: 6,
            updates: vec![update(2, 64.0), update(8, 32.0), update(16, 160.0)],
            wire_bytes: 256,
            metadata_bytes: 9,
            ended: true,
            ..Meter::default()
        },
        elapsed: Duration::from_millis(2),
        latencies_ns,
        memory: Memory {
            primary_bytes: 80,
            ..Memory::default()
        },
        digest: 0xabc,
        difference: None,
    }
}

#[test]
fn figures_come_from_the_passes() {
    let latencies_ns = (1..=100).rev().collect();
    let report = Report::new(&stream(), pass(vec![]), pass(latencies_ns), None);
    assert_eq!(report.stream, "four");
    assert_eq!(
        (
            report.deltas,
            report.inserts,
            report.updates,
            report.deletes
        ),
        (4, 1, 3, 0)
    );
    assert_eq!(
        (report.records, report.raw_bytes, report.value_bytes),
        (6, 48, 26)
    );
    assert_eq!((report.wire_bytes, report.metadata_bytes), (256, 9));
    same(report.ratio_total, 48.0 / 26.0);
    same(report.ratio_median, 2.0);
    same(report.wire_ratio_total, 48.0 / 256.0);
    same(report.wire_ratio_median, 0.25);
    same(report.deltas_per_s, 2000.0);
    assert_eq!((report.latency_ns_p50, report.latency_ns_p99), (50, 99));
    assert_eq!(report.memory.primary_bytes, 80);
    assert_eq!(report.digest, "0000000000000abc");
    assert!(report.replica_identical && report.difference.is_none());
}

#[test]
fn a_difference_of_either_pass_counts() {
    let differing = || Pass {
        difference: Some("a row".to_owned()),
        ..pass(vec![])
    };
    for (throughput, latency) in [(differing(), pass(vec![])), (pass(vec![]), differing())] {
        let report = Report::new(&stream(), throughput, latency, None);
        assert!(!report.replica_identical);
        assert_eq!(report.difference.as_deref(), Some("a row"));
    }
    let report = Report::new(
        &stream(),
        pass(vec![]),
        Pass {
            digest: 0xabd,
            ..pass(vec![])
        },
        None,
    );
    assert!(!report.replica_identical, "both passes end in one state");
}

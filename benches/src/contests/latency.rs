//! One record of 64 bytes in flight: half of the time from before it is sent to after the other
//! side's answer is read. No clocks of two cores are compared.

use std::hint::spin_loop;
use std::time::Instant;

use crate::contest::{Contest, Unit};
use crate::queues::{
    Receiver, Sender, bbqueue, crossbeam, delta, disruptor, heapless, line, record, ringbuf, rtrb,
};
use crate::threads::time_pair;
use crate::timing::{Burst, times};
use std::time::Duration;

/// Median and 99th percentile; the bare line is the limit, no bar.
pub fn contests() -> Vec<Contest> {
    vec![contest(50), contest(99)]
}

fn contest(percent: usize) -> Contest {
    const BAR: f64 = 1.0;
    let work = format!("ring, one way, p{percent}");
    Contest::new(work, Unit::Nanoseconds, one_way(percent, delta::new))
        .peer("rtrb", BAR, one_way(percent, rtrb::new))
        .peer("ringbuf", BAR, one_way(percent, ringbuf::new))
        .peer("bbqueue", BAR, one_way(percent, bbqueue::new))
        .peer("heapless::spsc", BAR, one_way(percent, heapless::new))
        .peer("crossbeam-channel", BAR, one_way(percent, crossbeam::new))
        .peer("disruptor", BAR, one_way(percent, disruptor::new))
        .peer("bare_line", None, one_way(percent, line::new))
}

/// `percent` of all records took at most this long, one way, times the number of records.
fn one_way<S: Sender + 'static, R: Receiver + 'static>(
    percent: usize,
    new: impl Fn() -> (S, R),
) -> Burst {
    let (mut there, mut there_reader) = new();
    let (mut back, mut back_reader) = new();
    let mut sequence = 0;
    Box::new(move |count| {
        let first = sequence + 1;
        sequence += count;
        let mut round_trips = round_trips(
            (first, sequence),
            (&mut there, &mut there_reader),
            (&mut back, &mut back_reader),
        );
        times(percentile(&mut round_trips, percent) / 2, count)
    })
}

/// The time of each way there and back of the records `first..=last`.
fn round_trips<S: Sender, R: Receiver>(
    (first, last): (u64, u64),
    (there, there_reader): (&mut S, &mut R),
    (back, back_reader): (&mut S, &mut R),
) -> Vec<Duration> {
    let mut taken = Vec::with_capacity(usize::try_from(last + 1 - first).unwrap_or(0));
    let wait = |reader: &mut R| {
        let mut found = record(0);
        while !reader.receive(|record| found = *record) {
            spin_loop();
        }
        found
    };
    let samples = &mut taken;
    time_pair(
        move || {
            for sequence in first..=last {
                let start = Instant::now();
                there.send(record(sequence));
                let [answer, ..] = wait(back_reader);
                samples.push(start.elapsed());
                assert_eq!(answer, sequence, "the answer is the question");
            }
        },
        move || {
            for _ in first..=last {
                let question = wait(there_reader);
                back.send(question);
            }
        },
    );
    taken
}

/// The smallest value that at least `percent` of all do not exceed; 0 of none.
pub(super) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occur() {
        let mut values: Vec<_> = (1..=200).rev().map(Duration::from_nanos).collect();
        assert_eq!(percentile(&mut values, 50), Duration::from_nanos(100));
        assert_eq!(percentile(&mut values, 99), Duration::from_nanos(198));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }
}

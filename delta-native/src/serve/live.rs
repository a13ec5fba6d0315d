//! A finished stream as if it were being written: which records are out is a function of time, so
//! nothing has to be kept in step between threads.

use std::time::Duration;

/// Seconds between the last record and the first of the next run.
const PAUSE_S: u128 = 5;
const NS_PER_S: u128 = 1_000_000_000;
/// Longest sleep of a reader's thread: after that it looks whether the server was stopped.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// How a stream is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Records that are out from the beginning.
    pub first: usize,
    /// Records a second after that; 0 is taken for 1.
    pub rate_per_s: u32,
    /// Starts again, 5 seconds after the end.
    pub repeats: bool,
}

/// What is out at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many times the stream has started again.
    pub(super) run: u128,
    /// Records that are out; at most the log's.
    pub(super) records: usize,
}

impl Pace {
    fn rate(self) -> u128 {
        u128::from(self.rate_per_s.max(1))
    }

    /// What is out of a log of `len` records, so long after the server's start.
    pub(super) fn head(self, len: usize, elapsed: Duration) -> Head {
        let first = self.first.min(len);
        let to_come = (len - first) as u128;
        let due = elapsed.as_nanos() * self.rate() / NS_PER_S;
        let period = to_come + PAUSE_S * self.rate();
        let (run, due) = if self.repeats {
            (due / period, due % period)
        } else {
            (0, due)
        };
        // Below `len - first`, so it fits.
        let out = usize::try_from(due.min(to_come)).unwrap_or(0);
        Head {
            run,
            records: first + out,
        }
    }

    /// How long a reader that has all may sleep.
    pub(super) fn wait(self, elapsed: Duration) -> Duration {
        let now_ns = elapsed.as_nanos();
        let due = now_ns * self.rate() / NS_PER_S;
        let next_ns = ((due + 1) * NS_PER_S).div_ceil(self.rate());
        let ns = u64::try_from(next_ns - now_ns).unwrap_or(u64::MAX);
        Duration::from_nanos(ns).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        first: 4,
        rate_per_s: 10,
        repeats: false,
    };

    fn at(pace: Pace, ms: u64) -> (u128, usize) {
        let head = pace.head(10, Duration::from_millis(ms));
        (head.run, head.records)
    }

    #[test]
    fn records_come_out_at_the_rate_and_then_no_more() {
        assert_eq!(at(PACE, 0), (0, 4));
        assert_eq!(at(PACE, 99), (0, 4));
        assert_eq!(at(PACE, 100), (0, 5));
        assert_eq!(at(PACE, 600), (0, 10));
        assert_eq!(at(PACE, 1_000_000), (0, 10));
    }

    #[test]
    fn a_stream_that_repeats_pauses_and_starts_again() {
        let pace = Pace {
            repeats: true,
            ..PACE
        };
        assert_eq!(at(pace, 600), (0, 10));
        assert_eq!(at(pace, 5_599), (0, 10));
        assert_eq!(at(pace, 5_600), (1, 4));
        assert_eq!(at(pace, 5_700), (1, 5));
        assert_eq!(at(pace, 2 * 5_600), (2, 4));
    }

    #[test]
    fn a_reader_sleeps_until_the_next_record_and_never_long() {
        let ms = Duration::from_millis;
        assert_eq!(PACE.wait(ms(30)), ms(70));
        assert_eq!(PACE.wait(ms(100)), ms(100));
        let slow = Pace {
            rate_per_s: 1,
            ..PACE
        };
        assert_eq!(slow.wait(ms(1)), WAIT_MAX);
    }

    #[test]
    fn extremes_are_in_range() {
        let pace = Pace {
            first: usize::MAX,
            rate_per_s: u32::MAX,
            repeats: true,
        };
        assert_eq!(pace.head(3, Duration::MAX).records, 3);
        let none = Pace {
            first: 0,
            rate_per_s: 0,
            repeats: true,
        };
        assert_eq!(none.head(3, Duration::from_secs(2)).records, 2);
    }
}

//! The host's two clocks: one that only counts, one that tells the date.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks of the standard library in the units that records use.
///
/// The core reads no clock: whoever drives it passes these numbers in.
///
/// ```
/// let clock = delta_native::clock::StdClock::new();
/// let before_ns = clock.monotonic_ns();
/// assert!(clock.monotonic_ns() >= before_ns);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StdClock {
    origin: Instant,
}

impl StdClock {
    /// A clock whose monotonic nanoseconds count from now. Copies share that origin.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Nanoseconds since this clock was made; never decreases, and is comparable between threads
    /// that hold copies of one clock. Saturates after 584 years.
    #[must_use]
    pub fn monotonic_ns(&self) -> u64 {
        saturating_ns(self.origin.elapsed())
    }

    /// Microseconds since the Unix epoch, as in a record's timestamp; 0 if the system's date is
    /// before it. May jump in both directions when the system's date is set.
    #[must_use]
    pub fn unix_us(&self) -> u64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Default for StdClock {
    fn default() -> Self {
        Self::new()
    }
}

/// `duration` in nanoseconds without 128-bit division: this stands beside every record of a latency
/// pass.
fn saturating_ns(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_join_seconds_and_fraction_and_saturate() {
        assert_eq!(saturating_ns(Duration::new(3, 5)), 3_000_000_005);
        assert_eq!(saturating_ns(Duration::MAX), u64::MAX);
    }

    #[test]
    fn unix_time_is_in_microseconds() {
        let year_2020_us = 1_577_836_800_000_000;
        let year_2200_us = 7_258_118_400_000_000;
        assert!((year_2020_us..year_2200_us).contains(&StdClock::new().unix_us()));
    }
}

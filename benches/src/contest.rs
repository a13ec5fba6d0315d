//! A piece of work, and everyone who does it.

use std::time::Duration;

use crate::timing::{Burst, as_f64};

/// Ours and the peers on the same work.
pub struct Contest {
    /// The work, in words.
    pub work: String,
    /// What the figures are in.
    pub unit: Unit,
    /// Ours.
    pub ours: Contestant,
    /// Whom we are compared with.
    pub peers: Vec<Peer>,
    /// A burst that is not measured goes before each that is.
    pub is_warm: bool,
}

/// Someone who does the work.
pub struct Contestant {
    /// Crate or loop.
    pub name: String,
    /// Does the work.
    pub burst: Burst,
}

/// Whom ours is compared with.
pub struct Peer {
    /// Who.
    pub name: String,
    /// The least ratio that ours must reach, if one is demanded; above 1: better than the peer.
    pub bar: Option<f64>,
    /// Its figure.
    pub source: Source,
}

/// Where a peer's figure comes from.
pub enum Source {
    /// It does the work too.
    Measured(Burst),
    /// A figure that was set, in the contest's unit.
    Limit(f64),
}

/// What figures are in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// Nanoseconds for one piece of work.
    Nanoseconds,
    /// Millions of pieces of work a second.
    MillionsPerSecond,
    /// 10^9 bytes a second.
    GigabytesPerSecond {
        /// Bytes that one piece of work moves.
        bytes_each: u32,
    },
}

impl Unit {
    /// As it stands beside a figure.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::MillionsPerSecond => "M/s",
            Self::GigabytesPerSecond { .. } => "GB/s",
        }
    }

    /// The figure of `count` pieces of work that took `elapsed`.
    #[must_use]
    pub fn figure(self, elapsed: Duration, count: u64) -> f64 {
        let nanoseconds_each = elapsed.as_secs_f64() * 1e9 / as_f64(count.max(1));
        match self {
            Self::Nanoseconds => nanoseconds_each,
            Self::MillionsPerSecond => 1e3 / nanoseconds_each,
            Self::GigabytesPerSecond { bytes_each } => f64::from(bytes_each) / nanoseconds_each,
        }
    }

    /// How many times as good `ours` is; above 1: better than the peer.
    #[must_use]
    pub fn ratio(self, ours: f64, peer: f64) -> f64 {
        match self {
            Self::Nanoseconds => peer / ours,
            Self::MillionsPerSecond | Self::GigabytesPerSecond { .. } => ours / peer,
        }
    }
}

impl Contest {
    /// A contest without peers as yet.
    pub fn new(work: impl Into<String>, unit: Unit, ours: Burst) -> Self {
        Self::named(work, unit, "delta", ours)
    }

    /// As [`Contest::new`], where ours needs a name that says more.
    pub fn named(
        work: impl Into<String>,
        unit: Unit,
        name: impl Into<String>,
        burst: Burst,
    ) -> Self {
        let name = name.into();
        Self {
            work: work.into(),
            unit,
            ours: Contestant { name, burst },
            peers: Vec::new(),
            is_warm: false,
        }
    }

    /// Puts a burst that is not measured before each that is: for work on tables that stay in the
    /// caches, which the other side's burst has emptied.
    #[must_use]
    pub fn warm(mut self) -> Self {
        self.is_warm = true;
        self
    }

    /// Adds a peer; ours must be at least `bar` times as good.
    #[must_use]
    pub fn peer(
        mut self,
        name: impl Into<String>,
        bar: impl Into<Option<f64>>,
        burst: Burst,
    ) -> Self {
        self.peers.push(Peer {
            name: name.into(),
            bar: bar.into(),
            source: Source::Measured(burst),
        });
        self
    }

    /// Adds a figure, in the contest's unit, that ours must be at least as good as.
    #[must_use]
    pub fn limit(mut self, figure: f64) -> Self {
        self.peers.push(Peer {
            name: "limit".to_owned(),
            bar: Some(1.0),
            source: Source::Limit(figure),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_1_is_better_in_every_unit() {
        let (fast, slow) = (Duration::from_micros(1), Duration::from_micros(2));
        let bytes = Unit::GigabytesPerSecond { bytes_each: 500 };
        for unit in [Unit::Nanoseconds, Unit::MillionsPerSecond, bytes] {
            let ratio = unit.ratio(unit.figure(fast, 100), unit.figure(slow, 100));
            assert!((ratio - 2.0).abs() < 1e-9, "{unit:?}: {ratio}");
        }
        assert!((Unit::Nanoseconds.figure(fast, 100) - 10.0).abs() < 1e-9);
        assert!((Unit::MillionsPerSecond.figure(fast, 100) - 100.0).abs() < 1e-9);
        assert!((bytes.figure(fast, 100) - 50.0).abs() < 1e-9);
    }
}

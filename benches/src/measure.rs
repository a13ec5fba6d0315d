//! Ours and the peers in turn, in short bursts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contest::{Contest, Source, Unit};
use crate::timing::{Burst, as_f64};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Measured time that a burst is about to take.
    pub burst: Duration,
    /// Bursts of each side.
    pub rounds: u32,
}

impl Effort {
    /// All contests within three minutes.
    pub const QUICK: Self = Self {
        burst: Duration::from_millis(4),
        rounds: 15,
    };
    /// For figures to be published.
    pub const FULL: Self = Self {
        burst: Duration::from_millis(10),
        rounds: 41,
    };
}

/// Ours beside one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The work, in words.
    pub work: String,
    /// Our figure: the median of all bursts.
    pub ours: f64,
    /// The peer's.
    pub peer: f64,
    /// Who the peer is.
    pub peer_name: String,
    /// What both figures are in.
    pub unit: String,
    /// How many times as good ours is: above 1 better than the peer.
    pub ratio: f64,
    /// The least ratio demanded.
    pub bar: Option<f64>,
    /// Whether it is reached.
    pub met: Option<bool>,
}

/// Measures all sides of `contest` in turn, `effort.rounds` times, and compares medians: a row a
/// peer.
pub fn measure(contest: Contest, effort: Effort) -> Vec<Row> {
    let Contest {
        work,
        unit,
        ours,
        peers,
        is_warm,
    } = contest;
    let side = |burst| Side::new(burst, effort.burst, is_warm);
    let mut ours = side(ours.burst);
    let mut others: Vec<_> = peers
        .into_iter()
        .map(|peer| {
            let source = match peer.source {
                Source::Measured(burst) => Ok(side(burst)),
                Source::Limit(figure) => Err(figure),
            };
            (peer.name, peer.bar, source)
        })
        .collect();
    for _ in 0..effort.rounds {
        ours.run(unit);
        for (_, _, source) in &mut others {
            if let Ok(side) = source {
                side.run(unit);
            }
        }
    }
    let ours = median(ours.figures);
    others
        .into_iter()
        .map(|(peer_name, bar, source)| {
            let peer = source.map_or_else(|limit| limit, |side| median(side.figures));
            let ratio = unit.ratio(ours, peer);
            Row {
                work: work.clone(),
                ours,
                peer,
                peer_name,
                unit: unit.name().to_owned(),
                ratio,
                bar,
                met: bar.map(|bar| ratio >= bar),
            }
        })
        .collect()
}

/// One side, and its figure of each burst.
struct Side {
    burst: Burst,
    count: u64,
    is_warm: bool,
    figures: Vec<f64>,
}

impl Side {
    fn new(mut burst: Burst, target: Duration, is_warm: bool) -> Self {
        let count = calibrate(&mut burst, target);
        Self {
            burst,
            count,
            is_warm,
            figures: Vec::new(),
        }
    }

    fn run(&mut self, unit: Unit) {
        if self.is_warm {
            (self.burst)(self.count);
        }
        let elapsed = (self.burst)(self.count);
        self.figures.push(unit.figure(elapsed, self.count));
    }
}

/// How many pieces of work take about `target`; warms up on the way.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and below 2^40"
)]
fn calibrate(burst: &mut Burst, target: Duration) -> u64 {
    const COUNT_MAX: u64 = 1 << 40;
    let mut count = 16;
    loop {
        let elapsed = burst(count);
        if elapsed * 4 >= target || count >= COUNT_MAX {
            let share = target.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
            return ((as_f64(count) * share) as u64).max(1);
        }
        count *= 4;
    }
}

/// The middle value, or the mean of the two middle ones; 0 of none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2);
    let lower = values.get(values.len().saturating_sub(1) / 2);
    lower
        .zip(upper)
        .map_or(0.0, |(lower, upper)| f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::times;

    fn taking(nanoseconds: u64) -> Burst {
        Box::new(move |count| times(Duration::from_nanos(nanoseconds), count))
    }

    #[test]
    fn a_row_for_each_peer_says_whether_its_bar_is_met() {
        let contest = Contest::new("work", Unit::Nanoseconds, taking(10))
            .peer("slow", 2.0, taking(30))
            .peer("fast", 1.0, taking(5))
            .peer("other", None, taking(10))
            .limit(20.0);
        let rows = measure(contest, Effort::QUICK);
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.peer_name.as_str(), row.ratio.round(), row.met))
            .collect();
        assert_eq!(
            found,
            [
                ("slow", 3.0, Some(true)),
                ("fast", 1.0, Some(false)),
                ("other", 1.0, None),
                ("limit", 2.0, Some(true)),
            ]
        );
    }

    #[test]
    fn a_burst_is_as_long_as_asked_for() {
        let mut burst = taking(100);
        let count = calibrate(&mut burst, Duration::from_millis(4));
        assert!((39_990..=40_000).contains(&count), "{count}");
    }

    #[test]
    fn median_of_even_and_odd() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}

//! How much of the machine others used during a run: figures of a busy machine are worthless.

use std::fs;

use crate::timing::as_f64;

/// Processor time of the whole machine and of this process when a run began, in the system's ticks.
#[derive(Debug)]
pub struct Load(Option<Ticks>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Ticks {
    /// Of all cores, idle or not.
    all: u64,
    /// Of all cores, at work.
    busy: u64,
    /// Of this process.
    own: u64,
}

impl Load {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        Self(now())
    }

    /// In words, how busy others kept the machine since.
    #[must_use]
    pub fn end(self) -> String {
        match self.0.zip(now()).and_then(|(from, to)| share(from, to)) {
            Some(share) => format!("others used {:.0}% of the machine meanwhile", share * 100.0),
            None => "how much of the machine others used is not known here".to_owned(),
        }
    }
}

/// The share of the machine that others used between two points of time; `None` if these are one.
fn share(from: Ticks, to: Ticks) -> Option<f64> {
    let busy = to.busy.saturating_sub(from.busy);
    let others = busy.saturating_sub(to.own.saturating_sub(from.own));
    let all = to.all.checked_sub(from.all).filter(|all| *all > 0)?;
    Some(as_f64(others) / as_f64(all))
}

fn now() -> Option<Ticks> {
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let process = fs::read_to_string("/proc/self/stat").ok()?;
    ticks(&machine, &process)
}

/// Reads both files of the system (`man 5 proc`).
fn ticks(machine: &str, process: &str) -> Option<Ticks> {
    // user, nice, system, idle, iowait, irq, softirq, steal, and guests, which user includes.
    let cores = machine.lines().next()?.split_ascii_whitespace();
    let cores: Vec<u64> = cores.filter_map(|word| word.parse().ok()).collect();
    let all = cores.iter().take(8).sum();
    let idle: u64 = cores.iter().skip(3).take(2).sum();
    // After the name in brackets: the state, ten numbers, then user and system.
    let own = process.rsplit_once(')')?.1.split_ascii_whitespace();
    let own = own.skip(11).take(2);
    Some(Ticks {
        all,
        busy: all - idle,
        own: own.filter_map(|word| word.parse::<u64>().ok()).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_what_is_busy_and_not_us() {
        let before = ticks(
            "cpu  100 20 30 800 50 0 0 0 7 0\n",
            "1 (a b) R 1 2 3 4 -1 6 7 8 9 10 30 5 0",
        );
        let after = ticks(
            "cpu  150 20 40 830 60 0 0 0 7 0\n",
            "1 (a b) R 1 2 3 4 -1 6 7 8 9 10 60 6 0",
        );
        let (before, after) = (before.unwrap(), after.unwrap());
        assert_eq!((before.all, before.busy, before.own), (1_000, 150, 35));
        // 100 ticks passed, 60 at work, 31 of them ours.
        assert!((share(before, after).unwrap() - 0.29).abs() < 1e-9);
        assert_eq!(share(after, after), None);
    }
}

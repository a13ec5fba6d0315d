//! What the benches share: workloads, and contests of ours against peers on the same work.
//!
//! A [`Contest`](contest::Contest) names a piece of work and holds a function for everyone who does
//! it. The criterion benches and the `compare` command run the very same functions:
//! [`groups::bench`] gives them to criterion, [`measure::measure`] alternates ours and the peers in
//! short bursts and reports medians and ratios.
//!
//! A group of contests is a file in `contests`, with a line in [`contests::GROUPS`].

#![allow(
    missing_debug_implementations,
    reason = "queues of peers and closures have none, and nobody prints them"
)]

pub mod command;
pub mod contest;
pub mod contests;
pub mod graph;
pub mod groups;
pub mod load;
pub mod measure;
pub mod plot;
pub mod queues;
pub mod report;
pub mod sizes;
pub mod threads;
pub mod timing;
pub mod workload;

pub use groups::quick_criterion;
pub use workload::{PATTERNS, Workload, pick};

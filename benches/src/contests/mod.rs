//! All contests, in groups.

pub mod codec;
mod compressors;
pub mod dense;
pub mod diff;
pub mod digest;
pub mod graph;
pub mod latency;
pub mod pipeline;
pub mod rings;
pub mod scatter;
pub mod table;

use crate::contest::Contest;

/// Contests that are built and measured together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// As one names it on the command line.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Two threads on two cores are needed.
    pub is_two_threads: bool,
    /// Makes its input.
    pub build: fn() -> Vec<Contest>,
}

/// Every group.
pub const GROUPS: &[Group] = &[
    Group {
        name: "diff",
        about: "which components changed, and to what; rows in a first-level cache",
        is_two_threads: false,
        build: diff::contests,
    },
    Group {
        name: "dense",
        about: "all components changed",
        is_two_threads: false,
        build: dense::contests,
    },
    Group {
        name: "apply",
        about: "changed components into a row",
        is_two_threads: false,
        build: scatter::contests,
    },
    Group {
        name: "digest",
        about: "the part of the state digest that a row gives",
        is_two_threads: false,
        build: digest::contests,
    },
    Group {
        name: "table",
        about: "diff and apply in a random row of a table of 1 GiB",
        is_two_threads: false,
        build: table::contests,
    },
    Group {
        name: "codec",
        about: "a row's change to bytes, and bytes into a row",
        is_two_threads: false,
        build: codec::contests,
    },
    Group {
        name: "graph",
        about: "a replica's edges beside building the index again",
        is_two_threads: false,
        build: graph::contests,
    },
    Group {
        name: "rings",
        about: "records from one thread to another: singles, batches, payloads",
        is_two_threads: true,
        build: rings::contests,
    },
    Group {
        name: "latency",
        about: "one record in flight: half of the way there and back",
        is_two_threads: true,
        build: latency::contests,
    },
    Group {
        name: "pipeline",
        about: "capture -> ring -> apply, checksum and digest on",
        is_two_threads: true,
        build: pipeline::contests,
    },
];

/// The dimensions that rows have.
pub const DIMS: [usize; 2] = [384, 1_536];

//! The stages of `delta replay` beyond capture and apply.

use delta_core::pipeline::gate::GateConfig;
use delta_native::replay::stages::{Filter, RouteBy, Stages};

/// How strict `--gate` is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Profile {
    /// Holds and refuses nothing.
    Open,
    /// For rows of about unit length.
    Balanced,
    /// Smaller steps, a tenth of the energy.
    Strict,
}

/// What `--route` goes by.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Route {
    /// The slot: parts of equal size.
    #[default]
    Slot,
    /// The hash of the id.
    Hash,
}

/// Each runs over the stream's records after the replay and is compared with the primary.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Stages")]
pub(crate) struct StageArgs {
    /// Apply by N workers over disjoint slots
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    workers: Option<u32>,
    /// Derive a stream of what EXPR selects: terms with commas between them, of
    /// op=insert+update+delete, id=PREFIX, slot%N=K, hash%N=K
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,
    /// Derive a stream of the first DIMS components
    #[arg(long, value_name = "DIMS", value_parser = clap::value_parser!(u32).range(1..))]
    project: Option<u32>,
    /// Split into K derived streams
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=256))]
    route: Option<u32>,
    /// What decides which of the K an entity belongs to
    #[arg(long, value_name = "WHAT", requires = "route", default_value = "slot")]
    route_by: Route,
    /// Apply behind a gate of this strictness
    #[arg(long, value_name = "PROFILE")]
    gate: Option<Profile>,
    /// Compact the records and replay the segments
    #[arg(long)]
    compact: bool,
    /// Damage, repeat and reorder records on their way, by SEED
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
}

impl StageArgs {
    pub(crate) fn stages(&self) -> Stages {
        Stages {
            workers: self.workers,
            filter: self.filter.clone(),
            project: self.project,
            route: self.route,
            route_by: match self.route_by {
                Route::Slot => RouteBy::Slot,
                Route::Hash => RouteBy::Hash,
            },
            gate: self.gate.map(|profile| match profile {
                Profile::Open => GateConfig::OPEN,
                Profile::Balanced => GateConfig::BALANCED,
                Profile::Strict => GateConfig::STRICT,
            }),
            compact: self.compact,
            chaos: self.chaos,
        }
    }
}

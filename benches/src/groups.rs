//! Contests as criterion groups.

use std::time::Duration;

use criterion::Criterion;

use crate::contest::{Contest, Source};

/// Criterion with short settings, for machines that others use too.
#[must_use]
pub fn quick_criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
        .nresamples(2_000)
        .without_plots()
        .configure_from_args()
}

/// Gives every contest to criterion: a group each, ours and every peer that does the work in it.
pub fn bench(criterion: &mut Criterion, contests: Vec<Contest>) {
    for contest in contests {
        let mut group = criterion.benchmark_group(contest.work);
        let peers = contest
            .peers
            .into_iter()
            .filter_map(|peer| match peer.source {
                Source::Measured(burst) => Some((peer.name, burst)),
                Source::Limit(_) => None,
            });
        let ours = std::iter::once((contest.ours.name, contest.ours.burst));
        for (name, mut burst) in ours.chain(peers) {
            group.bench_function(name, |bencher| bencher.iter_custom(&mut burst));
        }
        group.finish();
    }
}

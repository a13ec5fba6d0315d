use super::*;
use crate::sample;

fn report(stream: &Stream, index: IndexKind, links: u8) -> GraphReport {
    let options = GraphOptions {
        index,
        links,
        ef: 48,
    };
    run(stream, &options).unwrap()
}

/// Both sides have the index's graph and give the same answers, nearly all of them right.
fn is_replicated(stream: &Stream, index: IndexKind, links: u8) {
    let report = report(stream, index, links);
    assert!(report.graph_identical, "{:?}", report.graph_difference);
    assert!(report.search_equal);
    let recall = report.recall_at_10;
    assert!(
        recall.replica >= 0.95 && recall.replica + 0.01 >= recall.primary,
        "{recall:?}"
    );
    assert!(report.edges_added > report.edges_removed);
    assert!(
        report.graph_bytes_per_insert <= 55.0,
        "{links} links: {} bytes",
        report.graph_bytes_per_insert
    );
}

#[cfg(feature = "hnsw-stable")]
#[test]
fn hnsw_stable_is_replicated_with_its_updates_and_deletes() {
    for links in [8, 16] {
        let stream = Stream::clustered(600, 24).unwrap();
        is_replicated(&stream, IndexKind::HnswStable, links);
    }
    is_replicated(&sample::streams().unwrap()[0], IndexKind::HnswStable, 8);
}

#[cfg(feature = "hnsw-stable")]
#[test]
fn exported_frames_lead_a_replica_to_the_rows_and_the_graph() {
    use delta_core::stream::StreamReader;

    let stream = &sample::streams().unwrap()[0];
    let options = GraphOptions {
        links: 8,
        ..GraphOptions::default()
    };
    let mut frames = Vec::new();
    let exported = crate::replay::export_with_graph(stream, &options, &mut frames).unwrap();
    let parameters = IndexParameters {
        dim: stream.dim(),
        nodes_max: stream.slots(),
        links: options.links,
        ef: options.ef,
        metric: Metric::SquaredL2,
    };
    let mut memory = ReplicaMemory::new(stream, &parameters).unwrap();
    let mut store = memory.store();
    let mut scratch = vec![0; Applier::scratch_size_max(stream.dim())];
    let mut applier = Applier::new(Position::START, &mut scratch);
    for record in StreamReader::new(&frames) {
        applier.apply_delta(&record.unwrap(), &mut store).unwrap();
    }
    assert_eq!(exported.records, stream.len() as u64 + 2);
    assert_eq!(exported.bytes, frames.len() as u64);
    assert_eq!(applier.current_position().digest, exported.digest);
    assert_eq!(delta_core::store::state_digest(&store), exported.digest);
    let graph = store.graph().unwrap().adjacency();
    assert!(graph.node_count() > 0 && graph.edge_count() > u64::from(graph.node_count()));
}

#[cfg(feature = "usearch")]
#[test]
fn usearch_is_replicated_with_its_updates_and_deletes() {
    for links in [8, 16] {
        let stream = Stream::clustered(600, 24).unwrap();
        is_replicated(&stream, IndexKind::Usearch, links);
    }
    is_replicated(&sample::streams().unwrap()[0], IndexKind::Usearch, 8);
}

#[cfg(not(all(feature = "hnsw-stable", feature = "usearch")))]
#[test]
fn an_index_that_is_not_in_the_build_is_named_with_its_feature() {
    for index in IndexKind::ALL {
        let options = GraphOptions {
            index,
            ..GraphOptions::default()
        };
        match run(&Stream::clustered(10, 4).unwrap(), &options) {
            Err(ReplayError::IndexMissing { index: missing }) => assert_eq!(missing, index),
            result => assert!(result.is_ok()),
        }
    }
    let missing = ReplayError::IndexMissing {
        index: IndexKind::Usearch,
    };
    assert!(missing.to_string().contains("--features usearch"));
}

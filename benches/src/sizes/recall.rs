//! Whether the rows of a lossy reader answer as the exact ones.

/// Neighbours that a query asks for.
const NEIGHBOURS: usize = 10;
/// Queries, at most.
const QUERIES: usize = 300;

/// Of the 10 rows that are most similar (dot product) to each of some exact rows, the share that is
/// also found among the bounded rows; `None` of fewer than 100 rows.
pub(super) fn at_10(rows: &[(&[f32], &[f32])]) -> Option<f64> {
    if rows.len() < 10 * NEIGHBOURS {
        return None;
    }
    let step = rows.len().div_ceil(QUERIES);
    let (mut found, mut asked) = (0_u32, 0_u32);
    for (query, _) in rows.iter().step_by(step) {
        let exact = nearest(query, rows.iter().map(|(exact, _)| *exact));
        let bounded = nearest(query, rows.iter().map(|(_, bounded)| *bounded));
        found += exact
            .iter()
            .map(|row| u32::from(bounded.contains(row)))
            .sum::<u32>();
        asked += 10;
    }
    Some(f64::from(found) / f64::from(asked))
}

/// Numbers of the most similar rows; of equally similar ones the first.
fn nearest<'r>(query: &[f32], rows: impl Iterator<Item = &'r [f32]>) -> Vec<usize> {
    let dot = |row: &[f32]| -> f64 {
        let products = query
            .iter()
            .zip(row)
            .map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    let mut order: Vec<(f64, usize)> = rows.map(dot).zip(0..).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order
        .into_iter()
        .take(NEIGHBOURS)
        .map(|(_, number)| number)
        .collect()
}

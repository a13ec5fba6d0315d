//! A plain HNSW index, as the paper has it (Malkov and Yashunin, 2016, algorithms 1, 2 and 4): what
//! a primary may run. Shared with the benches; it knows nothing of Delta.

use std::collections::HashSet;

/// A distance between rows.
pub(crate) type Distance = fn(&[f32], &[f32]) -> f32;

/// An index whose lists are in no order.
pub(crate) struct Hnsw {
    pub(crate) dim: usize,
    /// Links of a new node on each layer; layer 0 holds twice as many.
    pub(crate) links: usize,
    pub(crate) ef: usize,
    pub(crate) distance: Distance,
    pub(crate) rows: Vec<f32>,
    /// `lists[slot][layer]`.
    pub(crate) lists: Vec<Vec<Vec<u32>>>,
    pub(crate) entry: Option<u32>,
}

impl Hnsw {
    pub(crate) fn new(dim: usize, links: usize, ef: usize, distance: Distance) -> Self {
        Self {
            dim,
            links,
            ef,
            distance,
            rows: Vec::new(),
            lists: Vec::new(),
            entry: None,
        }
    }

    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        &self.rows[slot as usize * self.dim..][..self.dim]
    }

    fn rank(&self, row: &[f32], slot: u32) -> (f32, u32) {
        ((self.distance)(row, self.row(slot)), slot)
    }

    fn degree_max(&self, layer: usize) -> usize {
        self.links * if layer == 0 { 2 } else { 1 }
    }

    /// A level as the paper draws it, from 64 random bits.
    pub(crate) fn level(&self, random: u64) -> usize {
        let uniform = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        (-uniform.ln() / (self.links as f64).ln()) as usize
    }

    pub(crate) fn insert(&mut self, row: &[f32], level: usize) -> u32 {
        let slot = self.lists.len() as u32;
        self.rows.extend(row);
        self.lists.push(vec![Vec::new(); level + 1]);
        self.link(slot);
        slot
    }

    /// Gives a node the row `row` and links it anew; its old back-links stay.
    pub(crate) fn update(&mut self, slot: u32, row: &[f32]) {
        let start = slot as usize * self.dim;
        self.rows[start..start + self.dim].copy_from_slice(row);
        self.link(slot);
    }

    fn link(&mut self, slot: u32) {
        let level = self.lists[slot as usize].len() - 1;
        let Some(entry) = self.entry else {
            self.entry = Some(slot);
            return;
        };
        let top = self.lists[entry as usize].len() - 1;
        let row = self.row(slot).to_vec();
        let mut from = vec![self.rank(&row, entry)];
        for layer in (0..=top).rev() {
            let ef = if layer > level { 1 } else { self.ef };
            from = self.search_layer(&row, &from, ef, layer);
            if layer > level {
                continue;
            }
            let mut near = from.clone();
            near.retain(|near| near.1 != slot);
            let own = self.select(&near, self.links);
            for &neighbour in &own {
                self.link_back(neighbour, slot, layer);
            }
            self.lists[slot as usize][layer] = own;
        }
        if level > top {
            self.entry = Some(slot);
        }
    }

    fn link_back(&mut self, neighbour: u32, slot: u32, layer: usize) {
        let row = self.row(neighbour).to_vec();
        let list = &self.lists[neighbour as usize][layer];
        if list.contains(&slot) {
            return;
        }
        let mut near: Vec<_> = list.iter().map(|&to| self.rank(&row, to)).collect();
        near.push(self.rank(&row, slot));
        let degree_max = self.degree_max(layer);
        let kept = if near.len() > degree_max {
            near.sort_by(|a, b| a.partial_cmp(b).unwrap());
            self.select(&near, degree_max)
        } else {
            near.iter().map(|near| near.1).collect()
        };
        self.lists[neighbour as usize][layer] = kept;
    }

    /// The nearest, nearest first, without those that are nearer to one already taken.
    fn select(&self, near: &[(f32, u32)], count: usize) -> Vec<u32> {
        let mut taken: Vec<u32> = Vec::new();
        for &(distance, slot) in near {
            let row = self.row(slot);
            if taken.len() < count && taken.iter().all(|&to| self.rank(row, to).0 >= distance) {
                taken.push(slot);
            }
        }
        taken
    }

    /// The `ef` nearest that lead on from `from`, nearest first.
    fn search_layer(
        &self,
        row: &[f32],
        from: &[(f32, u32)],
        ef: usize,
        layer: usize,
    ) -> Vec<(f32, u32)> {
        let mut seen: HashSet<u32> = from.iter().map(|near| near.1).collect();
        let mut open = from.to_vec();
        let mut found = from.to_vec();
        found.sort_by(|a, b| a.partial_cmp(b).unwrap());
        while let Some(place) =
            (0..open.len()).min_by(|&a, &b| open[a].partial_cmp(&open[b]).unwrap())
        {
            let nearest = open.swap_remove(place);
            if found.len() >= ef && nearest > found[found.len() - 1] {
                break;
            }
            for &to in &self.lists[nearest.1 as usize][layer] {
                if !seen.insert(to) {
                    continue;
                }
                let near = self.rank(row, to);
                if found.len() < ef || near < found[found.len() - 1] {
                    open.push(near);
                    let place = found.partition_point(|known| *known < near);
                    found.insert(place, near);
                    found.truncate(ef);
                }
            }
        }
        found
    }

    /// The nearest nodes by the index's own search.
    pub(crate) fn search(&self, row: &[f32], count: usize, ef: usize) -> Vec<(f32, u32)> {
        let Some(entry) = self.entry else {
            return Vec::new();
        };
        let mut from = vec![self.rank(row, entry)];
        for layer in (1..self.lists[entry as usize].len()).rev() {
            from = self.search_layer(row, &from, 1, layer);
        }
        let mut found = self.search_layer(row, &from, ef, 0);
        found.truncate(count);
        found
    }
}

/// Random numbers without a crate (Steele, Lea and Flood's SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// About normal, of deviation 1.
    fn normal(&mut self) -> f32 {
        let uniform = |bits: u64| (bits >> 40) as f32 / (1_u32 << 24) as f32;
        let sum: f32 = (0..12).map(|_| uniform(self.next())).sum();
        sum - 6.0
    }
}

/// Rows around centres: `count` of `dim` components, `clusters` centres of deviation 1, the rows
/// about 0.3 from theirs in each component.
pub(crate) fn clustered(
    count: usize,
    dim: usize,
    clusters: usize,
    random: &mut Random,
) -> Vec<Vec<f32>> {
    let centres: Vec<Vec<f32>> = (0..clusters)
        .map(|_| (0..dim).map(|_| random.normal()).collect())
        .collect();
    (0..count)
        .map(|_| {
            let centre = &centres[(random.next() % clusters as u64) as usize];
            centre
                .iter()
                .map(|value| value + 0.3 * random.normal())
                .collect()
        })
        .collect()
}

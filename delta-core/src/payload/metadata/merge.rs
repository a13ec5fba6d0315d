//! Two sections as one.

use super::{MetadataChanges, split_pair};
use crate::digest::pair_term;

impl MetadataChanges<'_> {
    /// The digest terms of the values that these changes set in `slot`: all that they change where
    /// there were none.
    pub(crate) fn digest_sum(self, slot: u32) -> u64 {
        self.into_iter().fold(0, |sum: u64, (key, value)| {
            sum.wrapping_add(value.map_or(0, |value| pair_term(slot, key, value)))
        })
    }

    /// Calls `emit` with every pair, as it stands in a section, of these changes with `newer` made
    /// after them: keys ascending, of equal keys the newer.
    pub(crate) fn merge(self, newer: MetadataChanges<'_>, mut emit: impl FnMut(&[u8])) {
        let mut old = RawPairs { rest: self.bytes }.peekable();
        for (key, pair) in (RawPairs { rest: newer.bytes }) {
            while let Some((_, before)) = old.next_if(|(before, _)| *before < key) {
                emit(before);
            }
            old.next_if(|(same, _)| *same == key);
            emit(pair);
        }
        old.for_each(|(_, pair)| emit(pair));
    }
}

/// Iterator over `(key, pair as it stands in the section)`.
struct RawPairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RawPairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ((key, _), rest) = split_pair(self.rest)?;
        let (pair, _) = self.rest.split_at_checked(self.rest.len() - rest.len())?;
        self.rest = rest;
        Some((key, pair))
    }
}

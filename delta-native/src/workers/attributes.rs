//! Ids and metadata of a replica in shards.

use std::collections::BTreeMap;

use delta_core::payload::metadata::MetadataChanges;

/// Metadata of a slot.
type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Ids and metadata by slot.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    slots: Vec<(Vec<u8>, Pairs)>,
}

impl Attributes {
    pub(super) fn id(&self, slot: u32) -> Option<&[u8]> {
        let (id, _) = self.slots.get(slot as usize)?;
        (!id.is_empty()).then_some(id)
    }

    pub(super) fn metadata(&self, slot: u32, key: &[u8]) -> Option<&[u8]> {
        let (_, pairs) = self.slots.get(slot as usize)?;
        pairs.get(key).map(Vec::as_slice)
    }

    pub(super) fn visit(&self, slot: u32, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let pairs = self.slots.get(slot as usize);
        for (key, value) in pairs.iter().flat_map(|(_, pairs)| pairs) {
            visit(key, value);
        }
    }

    /// The next slot's.
    pub(super) fn push(&mut self, id: &[u8]) {
        self.slots.push((id.to_vec(), Pairs::new()));
    }

    pub(super) fn change(&mut self, slot: u32, changes: MetadataChanges<'_>) {
        let Some((_, pairs)) = self.slots.get_mut(slot as usize) else {
            return;
        };
        for (key, value) in changes {
            match value {
                Some(value) => pairs.insert(key.to_vec(), value.to_vec()),
                None => pairs.remove(key),
            };
        }
    }
}

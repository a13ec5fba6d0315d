//! What a capture says of an index that is not its shadow, or no graph.

use super::*;

/// What no bytes say is not taken for a buffer that is too small.
#[test]
fn what_the_index_tells_wrong_is_told_from_a_small_buffer() {
    let mut memory = Memory::new(shape(8));
    let mut capture = GraphCapture::new(memory.graph());
    let mut index = index();
    let mut out = [0; 1024];
    for slot in 0..4_u32 {
        index.insert(&[slot as f32; DIM], 0);
        capture.insert(&index, slot, &mut out).unwrap().commit();
    }
    let before = bytes(capture.shadow());
    let list = index.lists[3][0].clone();
    let twice = [list[0], list[0]];
    for wrong in [&twice[..], &[u32::MAX], &[0, u32::MAX]] {
        index.lists[3][0] = wrong.to_vec();
        let unencodable = Some(GraphCaptureError::Unencodable { slot: 3 });
        assert_eq!(capture.update(&index, 3, &mut out).err(), unencodable);
        assert_eq!(capture.delete(&index, 3, &mut out).err(), unencodable);
        assert_eq!(capture.first_difference(&index).err(), unencodable);
    }
    index.lists[3][0] = list;
    let unencodable = Some(GraphCaptureError::Unencodable { slot: 4 });
    for layers in [33, 200] {
        index.lists.push(vec![Vec::new(); layers]);
        assert_eq!(capture.insert(&index, 4, &mut out).err(), unencodable);
        index.lists.pop();
    }
    index.insert(&[9.0; DIM], 0);
    let own = index.lists[4][0].clone();
    index.lists[4][0] = vec![own[0], own[0]];
    assert_eq!(capture.insert(&index, 4, &mut out).err(), unencodable);
    assert_eq!(bytes(capture.shadow()), before);
}

#[test]
fn nodes_and_entries_are_compared_too() {
    let mut memory = Memory::new(shape(8));
    let mut capture = GraphCapture::new(memory.graph());
    let mut index = index();
    let mut out = [0; 256];
    assert_eq!(capture.first_difference(&index), Ok(None));
    for slot in 0..4_u32 {
        index.insert(&[slot as f32; DIM], 0);
        capture.insert(&index, slot, &mut out).unwrap().commit();
    }
    assert_eq!(capture.first_difference(&index), Ok(None));
    for entry in [Some(2), None] {
        index.entry = entry;
        let difference = Difference::Entry {
            index: entry,
            shadow: Some(0),
        };
        assert_eq!(capture.first_difference(&index), Ok(Some(difference)));
    }
    index.entry = Some(0);
    index.lists.push(vec![Vec::new()]);
    let more = Difference::Node { slot: 4 };
    assert_eq!(capture.first_difference(&index), Ok(Some(more)));
    index.lists.truncate(3);
    let fewer = Difference::Node { slot: 3 };
    assert_eq!(capture.first_difference(&index), Ok(Some(fewer)));
}

#[test]
fn an_operation_can_be_checked_before_it_is_made() {
    let mut memory = Memory::new(shape(2));
    let mut capture = GraphCapture::new(memory.graph());
    let mut index = index();
    let mut out = [0; 256];
    let refused = |error| Err(GraphCaptureError::Refused(error));
    assert_eq!(capture.check_insert(0), Ok(()));
    for slot in 0..2_u32 {
        let missing = EditError::MissingNode { slot };
        assert_eq!(capture.check_live(slot), refused(missing));
        index.insert(&[slot as f32; DIM], 0);
        capture.insert(&index, slot, &mut out).unwrap().commit();
        assert_eq!(capture.check_live(slot), Ok(()));
    }
    let (full, slot) = (EditError::Full { slot: 2, level: 0 }, 1);
    assert_eq!(capture.check_insert(2), refused(full));
    let gap = EditError::SlotNotNext { slot, expected: 2 };
    assert_eq!(capture.check_insert(slot), refused(gap));
    capture.delete(&index, slot, &mut out).unwrap().commit();
    let deleted = EditError::AlreadyTombstone { slot };
    assert_eq!(capture.check_live(slot), refused(deleted));
}

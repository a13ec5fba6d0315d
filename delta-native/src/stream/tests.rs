use std::fs;

use super::*;
use crate::fixtures::{f32s, u32s};

/// An event with its borrowed parts as text.
fn shown(stream: &Stream) -> Vec<String> {
    stream
        .iter()
        .map(|event| {
            let id = String::from_utf8(event.id.to_vec()).unwrap();
            let metadata: Vec<String> = event
                .metadata
                .map(|(key, value)| {
                    let [key, value] = [key, value].map(|part| std::str::from_utf8(part).unwrap());
                    format!("{key}={value}")
                })
                .collect();
            let Event {
                operation,
                slot,
                row,
                timestamp_us,
                ..
            } = event;
            format!(
                "{operation:?} {slot} {id} {row:?} {timestamp_us} {}",
                metadata.join(";")
            )
        })
        .collect()
}

fn write(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn events_load_with_ids_metadata_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let list = concat!(
        r#"{"op":"insert","id":"a","row":0,"prev":null,"ts":7,"v":1,"#,
        r#""meta":{"z": [1, 2],"y":"\u00e9"}}"#,
        "\n",
        r#" { "ts" : 7.25 , "id" : "b\n" , "row" : 1 , "op" : "insert" } "#,
        "\r\n",
        r#"{"op":"update","id":"a","row":2,"prev":0,"ts":8,"n":1e3}"#,
        "\n",
        r#"{"op":"update","id":"a","row":2,"prev":2,"ts":8}"#,
        "\n",
        r#"{"op":"delete","id":"a","row":null,"prev":2,"ts":9,"v":4}"#,
        "\n",
        r#"{"op":"insert","id":"a","row":0,"ts":10,"b":null,"B":true}"#,
    );
    let rows = f32s(&[3, 2], &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
    write(
        folder.path(),
        &[("s.x.npy", rows), ("s.x.jsonl", list.into())],
    );
    for ending in ["", ".npy", ".jsonl"] {
        let stream = Stream::load(&folder.path().join(format!("s.x{ending}"))).unwrap();
        assert_eq!((stream.name(), stream.dim(), stream.slots()), ("s.x", 2, 3));
        assert_eq!(
            stream.counts(),
            Counts {
                inserts: 3,
                updates: 2,
                deletes: 1
            }
        );
        assert_eq!(
            shown(&stream),
            [
                r#"Insert 0 a [0.0, 0.5] 7000000 meta={"z": [1, 2],"y":"\u00e9"};v=1"#,
                "Insert 1 b\n [1.0, 1.5] 7250000 ",
                "Update 0 a [2.0, 2.5] 8000000 n=1e3",
                "Update 0 a [2.0, 2.5] 8000000 ",
                "Delete 0 a [] 9000000 ",
                "Insert 2 a [0.0, 0.5] 10000000 B=true;b=null",
            ]
        );
    }
}

#[test]
fn row_updates_insert_the_initial_rows_first() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("s.init.npy", f32s(&[2, 1], &[0.0, 1.0])),
            ("s.step.npy", u32s(&[5, 5, 6])),
            ("s.row.npy", u32s(&[1, 0, 1])),
            ("s.new.npy", f32s(&[3, 1], &[10.0, 11.0, -0.0])),
        ],
    );
    for ending in ["", ".init.npy", ".row.npy"] {
        let stream = Stream::load(&folder.path().join(format!("s{ending}"))).unwrap();
        assert_eq!((stream.name(), stream.dim(), stream.slots()), ("s", 1, 2));
        assert_eq!(
            shown(&stream),
            [
                "Insert 0 0 [0.0] 0 ",
                "Insert 1 1 [1.0] 0 ",
                "Update 1 1 [10.0] 0 ",
                "Update 0 0 [11.0] 0 ",
                "Update 1 1 [-0.0] 0 ",
            ]
        );
    }
}

#[test]
fn snapshots_are_one_entity() {
    let files = [("s.npy", &f32s(&[3, 2], &[0.0, 1.0, 0.0, 1.0, 0.0, 2.0])[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    assert_eq!((stream.dim(), stream.slots(), stream.len()), (2, 1, 3));
    let expected = [
        "Insert 0 0 [0.0, 1.0] 0 ",
        "Update 0 0 [0.0, 1.0] 0 ",
        "Update 0 0 [0.0, 2.0] 0 ",
    ];
    assert_eq!(shown(&stream), expected);
}

#[test]
fn pairs_insert_the_old_and_update_to_the_new() {
    let files = [("s.npy", &f32s(&[2, 2, 1], &[0.0, 1.0, 10.0, 11.0])[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    let expected = [
        "Insert 0 0 [0.0] 0 ",
        "Insert 1 1 [1.0] 0 ",
        "Update 0 0 [10.0] 0 ",
        "Update 1 1 [11.0] 0 ",
    ];
    assert_eq!(shown(&stream), expected);
}

#[test]
fn rows_keep_every_bit() {
    let bits = [0x7fa0_0001_u32, 0xffc0_1234, 0x8000_0000, 0x0000_0001];
    let values = bits.map(f32::from_bits);
    let files = [("s.npy", &f32s(&[1, 4], &values)[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    let row = stream.event(0).unwrap().row;
    assert_eq!(
        row.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
        bits
    );
}

#[test]
fn an_array_may_be_named_like_a_part_of_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (f32s(&[1, 1], &[3.0]), f32s(&[2, 1], &[3.0; 2]));
    write(folder.path(), &[("model.new.npy", one), ("model.npy", two)]);
    for (name, events) in [("model.new", 1), ("model", 2)] {
        let stream = Stream::load(&folder.path().join(format!("{name}.npy"))).unwrap();
        assert_eq!((stream.name(), stream.len()), (name, events));
    }
}

#[test]
fn memory_is_that_of_the_rows_text_and_indices() {
    let files = [("s.npy", &f32s(&[3, 2], &[0.0; 6])[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    let events_bytes = 3 * 24 + size_of::<Range<usize>>();
    let expected = StreamMemory {
        rows_bytes: 24,
        text_bytes: 1,
        events_bytes,
    };
    assert_eq!(stream.memory(), expected);
}

#[test]
fn events_beyond_the_last_are_none() {
    let files = [("s.npy", &f32s(&[1, 1], &[0.0])[..])];
    let stream = Stream::load_embedded("s", &files).unwrap();
    assert!(stream.event(0).is_some());
    assert!(stream.event(1).is_none());
}

#[test]
fn the_shipped_streams_load_with_every_kind_of_event() {
    let streams = crate::sample::streams().unwrap();
    let shapes: Vec<_> = streams
        .iter()
        .map(|s| (s.name(), s.dim(), s.counts()))
        .collect();
    let docs = Counts {
        inserts: 564,
        updates: 330,
        deletes: 331,
    };
    let features = Counts {
        inserts: 4,
        updates: 171,
        deletes: 0,
    };
    assert_eq!(
        shapes,
        [
            ("book_docs", 384, docs),
            ("feat_tokens_log1p", 512, features)
        ]
    );
    assert!(streams[0].iter().any(|event| event.metadata.len() == 2));
    let total: usize = crate::sample::FILES
        .iter()
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert!(total <= 2 * 1024 * 1024, "{total}");
}

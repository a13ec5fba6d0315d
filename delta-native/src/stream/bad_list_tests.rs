//! Each way a list of events can be wrong, refused by name.

use proptest::prelude::*;

use super::*;
use crate::fixtures::f32s;

pub(super) const INSERT_A: &str = r#"{"op":"insert","id":"a","row":0,"ts":1}"#;

pub(super) fn load_lines(lines: &[u8]) -> Result<Stream, StreamError> {
    let rows = f32s(&[3, 1], &[0.0, 1.0, 2.0]);
    Stream::load_embedded("s", &[("s.npy", &rows), ("s.jsonl", lines)])
}

/// The fault of `line` after a line that inserted `a` at row 0.
fn fault(line: &str) -> LineFault {
    fault_after(&[INSERT_A], line)
}

fn fault_after(good: &[&str], line: &str) -> LineFault {
    let good: String = good.iter().map(|line| format!("{line}\n")).collect();
    load_lines(good.as_bytes()).unwrap();
    match load_lines(format!("{good}{line}\n").as_bytes()).unwrap_err() {
        StreamError::Line { file, line, fault } => {
            assert_eq!(
                (file.as_str(), line),
                ("s.jsonl", 1 + good.lines().count() as u64)
            );
            fault
        }
        other => panic!("{other}"),
    }
}

#[test]
fn messages_name_file_line_finding_and_remedy() {
    let lines = format!("{INSERT_A}\n{INSERT_A}\n");
    let message = load_lines(lines.as_bytes()).unwrap_err().to_string();
    let expected =
        r#"s.jsonl, line 2: inserts "a", which is live; use "update", or delete it first"#;
    assert_eq!(message, expected);
}

#[test]
fn bad_row_numbers() {
    let insert = |row: &str| fault(&INSERT_A.replace(r#""row":0"#, &format!(r#""row":{row}"#)));
    assert_eq!(insert("3"), LineFault::RowOutOfRange { row: 3, rows: 3 });
    let large = u64::from(u32::MAX) + 1;
    assert_eq!(
        insert(&large.to_string()),
        LineFault::RowOutOfRange {
            row: large,
            rows: 3
        }
    );
    for row in ["-1", "1.0", "\"1\"", "18446744073709551616", "true", "[]"] {
        assert!(
            matches!(insert(row), LineFault::BadField { field: "row", .. }),
            "{row}"
        );
    }
    let update = fault(r#"{"op":"update","id":"a","row":9,"prev":0,"ts":1}"#);
    assert_eq!(update, LineFault::RowOutOfRange { row: 9, rows: 3 });
    let prev = fault(r#"{"op":"delete","id":"a","prev":"0","ts":1}"#);
    assert!(matches!(prev, LineFault::BadField { field: "prev", .. }));
}

#[test]
fn missing_and_null_fields() {
    let lines = [
        ("op", r#"{"id":"b","row":0,"ts":1}"#),
        ("op", r#"{"op":null,"id":"b","row":0,"ts":1}"#),
        ("id", r#"{"op":"insert","row":0,"ts":1}"#),
        ("row", r#"{"op":"insert","id":"b","ts":1}"#),
        ("row", r#"{"op":"insert","id":"b","row":null,"ts":1}"#),
        ("row", r#"{"op":"update","id":"a","prev":0,"ts":1}"#),
        ("prev", r#"{"op":"update","id":"a","row":0,"ts":1}"#),
        ("prev", r#"{"op":"delete","id":"a","ts":1}"#),
        ("ts", r#"{"op":"delete","id":"a","prev":0}"#),
    ];
    for (field, line) in lines {
        assert_eq!(fault(line), LineFault::MissingField { field }, "{line}");
    }
}

#[test]
fn fields_of_another_operation() {
    let insert = fault(r#"{"op":"insert","id":"b","row":0,"prev":0,"ts":1}"#);
    assert_eq!(
        insert,
        LineFault::UnexpectedField {
            field: "prev",
            operation: "insert"
        }
    );
    let delete = fault(r#"{"op":"delete","id":"a","row":0,"prev":0,"ts":1}"#);
    assert_eq!(
        delete,
        LineFault::UnexpectedField {
            field: "row",
            operation: "delete"
        }
    );
}

#[test]
fn repeated_insert_of_a_live_id() {
    assert_eq!(
        fault(INSERT_A),
        LineFault::InsertOfLive { id: "a".to_owned() }
    );
}

#[test]
fn update_and_delete_of_an_unknown_id() {
    let id = || "b".to_owned();
    let update = fault(r#"{"op":"update","id":"b","row":1,"prev":0,"ts":1}"#);
    assert_eq!(
        update,
        LineFault::UnknownId {
            id: id(),
            operation: "update"
        }
    );
    let delete = fault(r#"{"op":"delete","id":"b","prev":0,"ts":1}"#);
    assert_eq!(
        delete,
        LineFault::UnknownId {
            id: id(),
            operation: "delete"
        }
    );
}

#[test]
fn update_and_delete_of_a_deleted_id() {
    let delete = r#"{"op":"delete","id":"a","prev":0,"ts":1}"#;
    let good = [INSERT_A, delete];
    let id = || "a".to_owned();
    let deleted = LineFault::DeletedId {
        id: id(),
        operation: "delete",
    };
    assert_eq!(fault_after(&good, delete), deleted);
    let update = r#"{"op":"update","id":"a","row":1,"prev":0,"ts":1}"#;
    let deleted = LineFault::DeletedId {
        id: id(),
        operation: "update",
    };
    assert_eq!(fault_after(&good, update), deleted);
}

#[test]
fn prev_that_is_not_the_live_row() {
    let id = || "a".to_owned();
    let update = fault(r#"{"op":"update","id":"a","row":1,"prev":2,"ts":1}"#);
    assert_eq!(
        update,
        LineFault::PrevNotLive {
            id: id(),
            prev: 2,
            live: 0
        }
    );
    let good = [
        INSERT_A,
        r#"{"op":"update","id":"a","row":1,"prev":0,"ts":1}"#,
    ];
    let delete = fault_after(&good, r#"{"op":"delete","id":"a","prev":0,"ts":1}"#);
    assert_eq!(
        delete,
        LineFault::PrevNotLive {
            id: id(),
            prev: 0,
            live: 1
        }
    );
}

#[test]
fn ids_of_a_wrong_length_or_type() {
    let insert = |id: &str| INSERT_A.replace(r#""a""#, id);
    assert_eq!(fault(&insert(r#""""#)), LineFault::IdLength { id_bytes: 0 });
    let long = format!("\"{}\"", "é".repeat(128));
    assert_eq!(fault(&insert(&long)), LineFault::IdLength { id_bytes: 256 });
    let longest = insert(&format!("\"{}\"", "x".repeat(255)));
    load_lines(longest.as_bytes()).unwrap();
    for id in ["7", "{}", r#""\ud800""#] {
        assert!(
            matches!(fault(&insert(id)), LineFault::BadField { field: "id", .. }),
            "{id}"
        );
    }
}

#[test]
fn bad_json() {
    for line in [
        "{",
        "[]",
        "7",
        "nonsense",
        r#"{"op":"insert",}"#,
        r#"{"op":"insert"} x"#,
    ] {
        assert!(matches!(fault(line), LineFault::Json { .. }), "{line}");
    }
    let deep = format!("{{\"op\":{}", "[".repeat(100_000));
    assert!(matches!(fault(&deep), LineFault::Json { .. }));
}

#[test]
fn lines_that_are_no_text() {
    assert_eq!(fault_after(&[INSERT_A], " \r"), LineFault::Empty);
    let error = load_lines(b"{\"op\":\"\xff\"}\n").unwrap_err();
    let not_utf8 = LineFault::NotUtf8 { position: 7 };
    assert!(matches!(error, StreamError::Line { line: 1, fault, .. } if fault == not_utf8));
}

#[test]
fn unknown_operations() {
    let found = "upsert".to_owned();
    let upsert = INSERT_A.replace("insert", "upsert");
    assert_eq!(fault(&upsert), LineFault::UnknownOperation { found });
    let number = INSERT_A.replace(r#""insert""#, "0");
    assert!(matches!(
        fault(&number),
        LineFault::BadField { field: "op", .. }
    ));
}

#[test]
fn duplicate_keys_also_when_written_otherwise() {
    let twice = r#"{"op":"insert","id":"b","row":0,"\u0072ow":1,"ts":1}"#;
    assert_eq!(
        fault(twice),
        LineFault::DuplicateKey {
            key: "row".to_owned()
        }
    );
    let metadata = r#"{"op":"delete","id":"a","prev":0,"ts":1,"v":1,"v":1}"#;
    assert_eq!(
        fault(metadata),
        LineFault::DuplicateKey {
            key: "v".to_owned()
        }
    );
}

#[test]
fn bad_times() {
    let bad = ["-1", "1e3", "\"1\"", "0.1234567", "18446744073710", "true"];
    for ts in bad {
        let line = format!(r#"{{"op":"delete","id":"a","prev":0,"ts":{ts}}}"#);
        assert!(
            matches!(fault(&line), LineFault::BadField { field: "ts", .. }),
            "{ts}"
        );
    }
}

#[test]
fn metadata_that_no_record_carries() {
    let with = |pair: &str| INSERT_A.replace(r#""a""#, &format!(r#""b",{pair}"#));
    assert_eq!(
        fault(&with(r#""":1"#)),
        LineFault::KeyLength { key_bytes: 0 }
    );
    let long = format!(r#""{}":1"#, "k".repeat(256));
    assert_eq!(fault(&with(&long)), LineFault::KeyLength { key_bytes: 256 });
    // 1 byte for the key's size, 1 for the key, 3 for the value's size, 2 quotation marks.
    let fits = with(&format!(r#""k":"{}""#, "x".repeat(65_534 - 7)));
    load_lines(fits.as_bytes()).unwrap();
    let large = with(&format!(r#""k":"{}""#, "x".repeat(65_534 - 6)));
    let expected = LineFault::MetadataTooLarge {
        metadata_bytes: 65_535,
        max_bytes: 65_534,
    };
    assert_eq!(fault(&large), expected);
}

proptest! {
    #[test]
    fn prop_damaged_lists_are_refused_or_complete(
        damage in proptest::collection::vec((0_usize..400, any::<u8>()), 0..4),
        cut in 0_usize..400,
    ) {
        let mut list = [
            INSERT_A,
            r#"{"op":"update","id":"a","row":1,"prev":0,"ts":2,"meta":{"k":[1,"x"]}}"#,
            r#"{"op":"insert","id":"b","row":2,"ts":3,"v":0}"#,
            r#"{"op":"delete","id":"a","prev":1,"ts":4}"#,
        ].join("\n").into_bytes();
        for (at, byte) in damage {
            if let Some(target) = list.get_mut(at) {
                *target = byte;
            }
        }
        list.truncate(cut);
        if let Ok(stream) = load_lines(&list) {
            prop_assert_eq!(stream.iter().count(), stream.len());
            for event in stream.iter() {
                prop_assert_eq!(event.row.is_empty(), event.operation == Operation::Delete);
                prop_assert!(event.slot < stream.slots());
            }
        }
    }
}

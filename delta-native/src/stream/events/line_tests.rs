use super::*;

#[test]
fn a_line_is_parsed_whatever_the_order_of_its_keys() {
    let line = parse(r#"{"z":1,"ts":2,"prev":3,"a":[ 1 ],"row":4,"id":"i\u0064","op":"update"}"#);
    let expected = Line {
        change: Change::Update { row: 4, prev: 3 },
        id: "id".to_owned(),
        timestamp_us: 2_000_000,
        metadata: vec![("a".to_owned(), "[ 1 ]"), ("z".to_owned(), "1")],
    };
    assert_eq!(line, Ok(expected));
}

#[test]
fn a_delete_has_no_metadata_to_send() {
    let line = parse(r#"{"op":"delete","id":"x","prev":3,"ts":0,"v":9}"#).unwrap();
    assert_eq!(
        (line.change, line.metadata),
        (Change::Delete { prev: 3 }, vec![])
    );
}

#[test]
fn seconds_become_microseconds_exactly() {
    let cases = [
        ("0", Some(0)),
        ("1546295333", Some(1_546_295_333_000_000)),
        ("1.5", Some(1_500_000)),
        ("1.000001", Some(1_000_001)),
        ("18446744073709.551615", Some(u64::MAX)),
        ("18446744073709.551616", None),
        ("1.0000001", None),
        ("-1", None),
        ("1e3", None),
    ];
    for (seconds, expected) in cases {
        assert_eq!(microseconds(seconds), expected, "{seconds}");
    }
}

#[test]
fn errors_repeat_only_the_start_of_what_they_refuse() {
    let line = format!(r#"{{"op":"{}"}}"#, "x".repeat(1000));
    let found = "x".repeat(EXCERPT_CHARS);
    assert_eq!(parse(&line), Err(LineFault::UnknownOperation { found }));
}

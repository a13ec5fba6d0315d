use super::*;

#[test]
fn a_description_is_read_or_refused() {
    let read = |text: &str| text.parse::<Synthetic>();
    assert_eq!(read("10,384,5%"), Synthetic::new(10, 384, 5.0, 100_000));
    assert_eq!(read("10, 8, 0.5 ,7"), Synthetic::new(10, 8, 0.5, 7));
    for text in [
        "",
        "10,384",
        "10,384,five",
        "1,2,3,4,5",
        "-1,384,5%",
        "1,384,5%,x",
    ] {
        assert_eq!(read(text), Err(SyntheticError::Form), "{text}");
    }
    let max = Synthetic::DIM_MAX;
    assert_eq!(read("1,0,5%"), Err(SyntheticError::Dim { found: 0, max }));
    assert_eq!(
        read("1,8,101%"),
        Err(SyntheticError::Changed { found: 101.0 })
    );
    assert!(matches!(
        read("1,8,NaN"),
        Err(SyntheticError::Changed { .. })
    ));
    assert_eq!(read("1,8,5%,0"), Err(SyntheticError::NoRows));
}

#[test]
fn made_up_updates_leave_an_identical_replica() {
    for text in ["3000,64,5%,50", "300,384,100%,3", "10,8,0%,1", "0,8,5%,2"] {
        let report = replay_synthetic(&text.parse().unwrap()).unwrap();
        assert!(report.replica_identical, "{text}");
    }
}

#[test]
fn figures_are_those_of_the_table() {
    let report = replay_synthetic(&"1000,64,5%,50".parse().unwrap()).unwrap();
    let (state, slot) = (size_of::<SlotState>(), size_of::<Slot>());
    assert_eq!(report.primary_bytes_per_row, 256.0 + as_f64(state as u64));
    assert_eq!(report.replica_bytes_per_row, 256.0 + as_f64(slot as u64));
    // Header, the values' prefix, and a gap and four bytes for each of three components.
    assert!(
        (82.0..=83.0).contains(&report.wire_bytes_per_update),
        "{report:?}"
    );
}

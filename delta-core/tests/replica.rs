//! A replica of a committed stream finds the committed ids and distance bits. The same file is what
//! `.ci/no-os` checks on bare metal and in WebAssembly, so that all places find the same.

#[path = "replica/check.rs"]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "sizes are small constants; others include the file too"
)]
mod check;

#[test]
fn searches_find_the_committed_ids_and_distance_bits() {
    let mut found = String::new();
    check::write_found(&mut check::Memory::new(), &mut found).unwrap();
    if std::env::var_os("DELTA_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replica/found.txt");
        std::fs::write(path, &found).unwrap();
        return;
    }
    for (number, (found, expected)) in found.lines().zip(check::FOUND.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.len(), check::FOUND.len());
    // Three metrics of 32 queries, five rows each, and the digest.
    assert_eq!(found.lines().count(), 3 * 32 + 1);
    let mut lines = found.lines().take(3 * 32);
    assert!(lines.all(|line| line.split(' ').count() == 6));
}

//! LZ4 blocks.

use crate::codec::lz4::{Lz4Scratch, PLAIN_SIZE_MAX, decompress};
use proptest::{collection::vec, prelude::*};

#[test]
fn lz4_compresses_where_that_is_smaller() {
    let mut lz4 = Lz4Scratch::new();
    let plain = [7; 300];
    let block = lz4.compress(&plain, 2).unwrap().to_vec();
    assert!(block.len() < 30);
    // What lies in the table from the block before does not show.
    let noise: Vec<u8> = (0..=u8::MAX).map(|i| i.wrapping_mul(167)).collect();
    assert_eq!(lz4.compress(&noise, 0), None);
    assert_eq!(lz4.compress(&plain, 2), Some(&block[..]));
    assert_eq!(lz4.compress(&plain, plain.len() - block.len()), None);
    assert!(
        lz4.compress(&plain, plain.len() - block.len() - 1)
            .is_some()
    );

    let mut out = [0; 300];
    assert!(decompress(&block, &mut out));
    assert_eq!(out, plain);
}

#[test]
fn lz4_takes_sections_of_its_sizes_alone() {
    let mut lz4 = Lz4Scratch::new();
    assert_eq!(lz4.compress(&[7; 31], 0), None);
    assert!(lz4.compress(&[7; 32], 0).is_some());
    assert!(lz4.compress(&[7; PLAIN_SIZE_MAX], 0).is_some());
    assert_eq!(lz4.compress(&[7; PLAIN_SIZE_MAX + 1], 0), None);
}

#[test]
fn lz4_refuses_another_size_and_broken_blocks() {
    let block = Lz4Scratch::new().compress(&[7; 300], 0).unwrap().to_vec();
    assert!(!decompress(&block, &mut [0; 299]));
    assert!(!decompress(&block, &mut [0; 301]));
    assert!(!decompress(&block[..block.len() - 1], &mut [0; 300]));
    assert!(!decompress(&[], &mut [0; 300]));
    // A match that begins before the block.
    assert!(!decompress(&[0x10, 7, 9, 0], &mut [0; 5]));
}

proptest! {
    #[test]
    fn prop_decompress_inverts_compress(
        pieces in vec((any::<u8>(), 1..40_usize), 0..60),
        overhead in 0..4_usize,
    ) {
        let plain: Vec<u8> = pieces.iter().flat_map(|&(byte, n)| vec![byte; n]).collect();
        let mut lz4 = Lz4Scratch::new();
        if let Some(block) = lz4.compress(&plain, overhead) {
            prop_assert!(block.len() + overhead < plain.len());
            let mut out = vec![0xaa; plain.len()];
            prop_assert!(decompress(block, &mut out));
            prop_assert_eq!(out, plain);
        }
    }

    #[test]
    fn prop_broken_blocks_do_not_panic(block in vec(any::<u8>(), 0..100), size in 0..400_usize) {
        decompress(&block, &mut vec![0; size]);
    }
}

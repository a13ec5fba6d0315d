use super::{
    Numbers, Source, Target, lanes,
    listing::Selection,
    mask_of,
    numbers::{NumberReader, NumberWriter},
    pack,
    scale::Scale,
    unpack, unzigzag, zigzag,
};
use proptest::{collection::vec, prelude::*};

/// Numbers as they are; those that are not 0 change.
struct Plain(Vec<u32>);

impl Source for Plain {
    fn dim(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, start: usize, numbers: &mut Numbers) {
        for (to, from) in numbers.iter_mut().zip(&self.0[start..]) {
            *to = *from;
        }
    }

    fn changed(&self, start: usize, numbers: &Numbers) -> u64 {
        let mask = (0..64).fold(0, |mask, i| mask | u64::from(numbers[i] != 0) << i);
        mask & mask_of(lanes(self.dim(), start))
    }
}

/// Collects numbers.
struct Found<'f>(&'f mut Vec<u32>);

impl Target for Found<'_> {
    fn turn(&mut self, numbers: &mut Numbers) {
        self.0.extend_from_slice(numbers);
    }
}

#[test]
fn differences_are_zigzag_numbers() {
    for (difference, number) in [
        (0, 0),
        (-1, 1),
        (1, 2),
        (-2, 3),
        (i32::MAX, u32::MAX - 1),
        (i32::MIN, u32::MAX),
    ] {
        assert_eq!(zigzag(difference), number);
        assert_eq!(unzigzag(number), difference);
    }
}

proptest! {
    #[test]
    fn prop_unpack_inverts_pack(
        numbers in vec(prop_oneof![Just(0), 0..20_u32, 0..3000_u32, any::<u32>()], 0..300),
        byte in any::<u8>(),
        behind in vec(any::<u8>(), 0..9),
        changed in any::<bool>(),
    ) {
        let Some(scale) = Scale::from_wire(byte) else { return Ok(()) };
        prop_assert_eq!(scale.to_wire(), byte);
        let source = Plain(numbers.clone());
        let (selection, numbers) = if changed {
            (Selection::Changed, numbers.into_iter().filter(|number| *number != 0).collect())
        } else {
            (Selection::All, numbers)
        };
        let count = numbers.len();
        let mut out = vec![0xaa; count * 9 + 8];
        let size = pack(&source, selection, count, scale, &mut out).unwrap();
        for given in size.saturating_sub(5)..size {
            prop_assert_eq!(pack(&source, selection, count, scale, &mut out[..given]), None);
        }
        pack(&source, selection, count, scale, &mut out[..size]).unwrap();
        out.truncate(size);
        let mut same = vec![0xaa; size];
        let mut writer = NumberWriter::new(&mut same, scale, count).unwrap();
        for number in &numbers {
            writer.push(*number).unwrap();
        }
        prop_assert_eq!(writer.finish(), Some(size));
        prop_assert_eq!(&same, &out);
        out.extend(&behind);
        let mut reader = NumberReader::new(&out, scale, count).unwrap();
        for number in &numbers {
            prop_assert_eq!(reader.take(), *number);
        }
        prop_assert_eq!(reader.finish(), Some(&behind[..]));
        let mut found = vec![];
        let mut slots = vec![[0; 4]; count];
        let rest = unpack(&out, &mut slots, scale, &mut Found(&mut found)).unwrap();
        found.truncate(count);
        prop_assert_eq!(rest, &behind[..]);
        prop_assert_eq!(&found, &numbers);
        if size > 0 {
            let broken = unpack(&out[..size - 1], &mut slots, scale, &mut Found(&mut found));
            prop_assert!(broken.is_err());
        }
    }
}

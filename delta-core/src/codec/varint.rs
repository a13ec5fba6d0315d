//! LEB128 of at most 32 bits in the fewest bytes (WIRE.md, introduction).

/// Bytes that the longest varint takes.
pub const SIZE_MAX: usize = 5;

/// Number of bytes that `value` takes.
#[inline]
pub const fn size(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Writes `value` at `*at` and advances it; `None`, with nothing advanced, if there is no room.
#[inline]
pub fn write(out: &mut [u8], at: &mut usize, mut value: u32) -> Option<()> {
    let mut end = *at;
    while value >= 0x80 {
        *out.get_mut(end)? = value.to_le_bytes()[0] | 0x80;
        value >>= 7;
        end += 1;
    }
    *out.get_mut(end)? = value.to_le_bytes()[0];
    *at = end + 1;
    Some(())
}

/// Reads a value at `*at` and advances it; `None` if the bytes end early, the value exceeds 32
/// bits, or a shorter form exists.
#[inline]
pub fn read(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(u32::from(first));
    }
    read_long(bytes, at)
}

fn read_long(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0;
    for (i, &byte) in bytes.get(*at..)?.iter().take(SIZE_MAX).enumerate() {
        let bits = u32::from(byte & 0x7f);
        if i == SIZE_MAX - 1 && byte > 0x0f {
            return None;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            if byte == 0 {
                return None;
            }
            *at += i + 1;
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{SIZE_MAX, read, size, write};
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Option<u32> {
        let mut at = 0;
        read(bytes, &mut at).filter(|_| at == bytes.len())
    }

    #[test]
    fn literal_bytes() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (300, &[0xac, 0x02]),
            (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = [0; SIZE_MAX];
            let mut at = 0;
            write(&mut out, &mut at, value).unwrap();
            assert_eq!(&out[..at], bytes);
            assert_eq!(read_all(bytes), Some(value));
        }
    }

    #[test]
    fn refuses_long_forms_overflow_and_truncation() {
        for bytes in [
            &[][..],
            &[0x80],
            &[0x80, 0x00],
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert_eq!(read_all(bytes), None, "{bytes:x?}");
        }
    }

    #[test]
    fn a_full_buffer_is_left_as_it_was() {
        let mut at = 0;
        assert_eq!(write(&mut [0], &mut at, 128), None);
        assert_eq!(at, 0);
    }

    proptest! {
        #[test]
        fn prop_read_inverts_write(value in any::<u32>(), shift in 0u32..32) {
            let value = value >> shift;
            let mut out = [0; SIZE_MAX];
            let mut at = 0;
            write(&mut out, &mut at, value).unwrap();
            prop_assert_eq!(at, size(value));
            prop_assert_eq!(read_all(&out[..at]), Some(value));
        }
    }
}

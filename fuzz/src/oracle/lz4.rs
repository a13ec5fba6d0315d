//! The LZ4 block format, decoded byte by byte.

use super::bytes::Bytes;

/// What `block` decodes to, if that is exactly `size` bytes.
///
/// A block is sequences of a token, literals, and a match of at least four bytes; the last has
/// literals only.
pub fn decode(block: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut input = Bytes(block);
    let mut plain = Vec::new();
    loop {
        let token = input.u8()?;
        let literals = length(token >> 4, &mut input)?;
        plain.extend_from_slice(input.take(literals)?);
        if plain.len() > size {
            return None;
        }
        if input.0.is_empty() {
            return (plain.len() == size).then_some(plain);
        }
        let offset = usize::from(input.u16()?);
        let matched = 4 + length(token & 0xf, &mut input)?;
        if offset == 0 || offset > plain.len() || plain.len() + matched > size {
            return None;
        }
        for _ in 0..matched {
            plain.push(plain[plain.len() - offset]);
        }
    }
}

/// A length that begins in a token's half and goes on behind it.
fn length(half: u8, input: &mut Bytes<'_>) -> Option<usize> {
    let mut length = usize::from(half);
    if half == 15 {
        loop {
            let more = input.u8()?;
            length += usize::from(more);
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}

//! Reading from the front of bytes.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` bytes; `None`, with nothing read, if there are fewer.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if count > self.0.len() {
            return None;
        }
        let (front, rest) = self.0.split_at(count);
        self.0 = rest;
        Some(front)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|number| number as u16)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.number(4).map(|number| number as u32)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }

    /// A little-endian number of `size` bytes.
    fn number(&mut self, size: usize) -> Option<u64> {
        let bytes = self.take(size)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        )
    }

    /// A LEB128 of at most 32 bits in the fewest bytes.
    pub fn varint(&mut self) -> Option<u32> {
        let size = 1 + self.0.iter().position(|byte| byte & 0x80 == 0)?;
        if size > 5 {
            return None;
        }
        let bytes = self.take(size)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0, |sum: u64, byte| sum << 7 | u64::from(byte & 0x7f));
        let value = u32::try_from(value).ok()?;
        (varint(value).len() == size).then_some(value)
    }
}

/// The LEB128 of `value`.
pub fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let bits = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(bits);
            return bytes;
        }
        bytes.push(bits | 0x80);
    }
}

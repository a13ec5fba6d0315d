//! The stream: records whose content follows from epoch and sequence, sent singly, in batches, and
//! with aborted ones between.

use delta_core::codec::varint;
use delta_core::header::{DeltaHeader, HEADER_SIZE, Operation};
use delta_core::record::Record;
use delta_core::ring::{Notify, Producer, RawMem, ReserveError};

use crate::journal::Entry;

/// Components of the largest row.
const DIM_MAX: u32 = 20;
/// Bytes of the largest payload.
const PAYLOAD_MAX: usize = 16 + 4 * DIM_MAX as usize;
/// Records of the longest run; a ring holds more.
const RUN_MAX: u64 = 200;
/// Records that are aborted have this sequence: none ever arrives.
const ABORTED: u64 = u64::MAX;

/// Numbers that look random (xorshift64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }
}

fn dim(sequence: u64) -> u32 {
    u32::try_from(sequence.wrapping_mul(0x9e37_79b9) % u64::from(DIM_MAX)).unwrap() + 1
}

fn payload_size(sequence: u64) -> usize {
    let dim = dim(sequence);
    prefix(0, dim).len() + 4 * dim as usize
}

/// What stands before a raw row's values: the tag, a slot of one byte, the dim.
fn prefix(epoch: u32, dim: u32) -> Vec<u8> {
    let mut prefix = vec![1, (epoch % 128) as u8];
    prefix.resize(2 + varint::size(dim), 0);
    varint::write(&mut prefix, &mut 2, dim).unwrap();
    prefix
}

/// Writes the payload of a record: a raw row.
fn write_payload(epoch: u32, sequence: u64, payload: &mut [u8]) {
    let dim = dim(sequence);
    let [low, ..] = bytemuck::cast::<u64, [u32; 2]>(sequence);
    let values = (0..dim).map(|lane| (low ^ epoch.rotate_left(16)).wrapping_add(lane));
    let prefix = prefix(epoch, dim);
    let (front, rows) = payload.split_at_mut(prefix.len());
    front.copy_from_slice(&prefix);
    for (bytes, word) in rows.chunks_exact_mut(4).zip(values) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

fn header(epoch: u32, sequence: u64, payload: &[u8]) -> [u8; HEADER_SIZE] {
    let header = DeltaHeader::new(Operation::Update, sequence, epoch);
    header.seal(payload).unwrap().to_bytes()
}

/// Checks a record's checksum and its content; gives epoch and sequence.
pub(crate) fn check(header: &[u8; HEADER_SIZE], payload: &[u8]) -> (u32, u64) {
    let record = Record::from_parts(header, payload).unwrap();
    let (epoch, sequence) = (record.header().epoch, record.header().sequence);
    assert_ne!(sequence, ABORTED, "an aborted record arrives");
    let mut expected = [0; PAYLOAD_MAX];
    let expected = &mut expected[..payload_size(sequence)];
    write_payload(epoch, sequence, expected);
    assert_eq!(payload, expected, "epoch {epoch}, sequence {sequence}");
    (epoch, sequence)
}

/// Sends the stream of one epoch.
pub(crate) struct Sender<'a, N: Notify<RawMem<'a>>> {
    pub(crate) ring: Producer<RawMem<'a>, N>,
    pub(crate) epoch: u32,
    /// The next sequence.
    pub(crate) next: u64,
    pub(crate) random: Random,
}

impl<'a, N: Notify<RawMem<'a>>> Sender<'a, N> {
    /// Sends some records, singly or as one batch, none beyond `last`; `note` is told before what
    /// is intended, and afterwards that it is committed.
    pub(crate) fn send_some(&mut self, last: u64, mut note: impl FnMut(Entry)) {
        let acked = self.next - 1;
        let is_batch = self.random.below(2) == 0;
        let intended = last.min(acked + 1 + self.random.below(RUN_MAX));
        note(Entry {
            acked,
            intended,
            extra: is_batch.into(),
        });
        if is_batch {
            while !self.try_batch(intended) {
                self.ring.wait(PAYLOAD_MAX).unwrap();
                std::thread::yield_now();
            }
        } else {
            while self.next <= intended {
                self.send_one();
            }
        }
        note(Entry {
            acked: intended,
            intended,
            extra: 0,
        });
    }

    fn send_one(&mut self) {
        self.ring.wait(PAYLOAD_MAX).unwrap();
        if self.random.below(16) == 0 {
            // Aborted after all of its payload was written.
            let mut grant = self.ring.reserve(PAYLOAD_MAX).unwrap();
            write_payload(self.epoch, ABORTED, grant.payload_mut());
        }
        // Room for more than it needs, sometimes.
        let size = payload_size(self.next);
        let mut grant = self.ring.reserve(PAYLOAD_MAX).unwrap();
        let payload = &mut grant.payload_mut()[..size];
        write_payload(self.epoch, self.next, payload);
        let header = header(self.epoch, self.next, payload);
        grant.commit(&header).unwrap();
        self.next += 1;
    }

    /// Sends all up to `intended` as one batch; false if there is no room for it.
    fn try_batch(&mut self, intended: u64) -> bool {
        let mut batch = self.ring.batch();
        for sequence in self.next..=intended {
            let mut grant = match batch.reserve(payload_size(sequence)) {
                Ok(grant) => grant,
                Err(ReserveError::Full { .. }) => return false,
                Err(error) => panic!("{error}"),
            };
            write_payload(self.epoch, sequence, grant.payload_mut());
            let header = header(self.epoch, sequence, grant.payload_mut());
            grant.commit(&header).unwrap();
        }
        batch.publish();
        self.next = intended + 1;
        true
    }
}

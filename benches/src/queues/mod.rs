//! Queues from one thread to another, each used as its authors would.
//!
//! All have room for [`SLOTS`] records of 64 bytes and about [`PAYLOAD_AREA`] bytes of payloads.
//! Memory of queues that must be borrowed is never freed: there is one of each kind a contest.

pub mod bbqueue;
pub mod crossbeam;
pub mod delta;
pub mod disruptor;
pub mod heapless;
pub mod line;
pub mod ringbuf;
pub mod rtrb;

/// Records of 64 bytes in a queue.
pub const SLOTS: usize = 4_096;
/// Bytes of payload in a queue; queues of fixed slots have 512 of [`PAYLOAD`].
pub const PAYLOAD_AREA: usize = 720_896;
/// Slots of queues that hold whole payloads.
pub const PAYLOAD_SLOTS: usize = 512;
/// Bytes of a payload: a raw row of 384 components.
pub const PAYLOAD: usize = 1_536;
/// Records that are published together.
pub const BATCH: usize = 32;

/// A record of 64 bytes.
pub type Record = [u64; 8];

/// The writing end. Every method waits, spinning, while the queue is full.
pub trait Sender: Send {
    /// Sends one record and publishes it.
    fn send(&mut self, record: Record);

    /// Sends the records `first..first + count`, of [`record`], published together where the queue
    /// can do that. `count` is at most [`BATCH`].
    fn send_batch(&mut self, first: u64, count: u64) {
        for sequence in first..first + count {
            self.send(record(sequence));
        }
    }

    /// Sends [`PAYLOAD`] bytes.
    fn send_payload(&mut self, source: &[u8; PAYLOAD]);
}

/// The reading end. Every method returns at once.
pub trait Receiver: Send {
    /// Takes one record if there is one and gives it to `read`.
    fn receive(&mut self, read: impl FnMut(&Record)) -> bool;

    /// Takes at most `max` records together, where the queue can do that, gives each to `read` and
    /// returns how many there were.
    fn receive_many(&mut self, max: u64, read: impl FnMut(&Record)) -> u64 {
        let _ = max;
        u64::from(self.receive(read))
    }

    /// Copies each payload to `target` that it takes, one or all that are there, whatever suits the
    /// queue, and returns how many.
    fn receive_payloads(&mut self, target: &mut [u8; PAYLOAD]) -> u64;
}

/// The record of a sequence number.
#[must_use]
pub fn record(sequence: u64) -> Record {
    [sequence; 8]
}

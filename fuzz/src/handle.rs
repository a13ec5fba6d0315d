//! The handles of a ring behind one face: records in place, for a peer that is trusted, and copied
//! ones, for a peer that is not.

use core::ptr::NonNull;

use delta_core::ring::{
    Batch, Consumer, CopyError, CopyMem, Corrupt, Geometry, Notify, Polling, Producer, RawMem,
    Region, RegionError, ReserveError, SendError, SharedMem, UntrustedRegion,
};

use crate::oracle::region::PAYLOAD_SIZE;

/// What a look at the next record gave.
#[derive(Debug)]
pub enum Polled {
    Record { header: [u8; 64], payload: Vec<u8> },
    Empty,
    TooSmall { needed: u32 },
    Corrupt(Corrupt),
}

/// A record to be written: its header and payload are one byte again and again.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    /// Bytes of payload that are asked for.
    pub reserved: usize,
    /// Bytes that the header says; `None`: the record is given up.
    pub used: Option<u32>,
    pub byte: u8,
}

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Reserve(ReserveError),
    /// The header says more than was reserved.
    PayloadSize,
    GivenUp,
}

impl Draft {
    fn header(&self, used: u32) -> [u8; 64] {
        let mut header = [self.byte; 64];
        header[PAYLOAD_SIZE..PAYLOAD_SIZE + 4].copy_from_slice(&used.to_le_bytes());
        header
    }
}

/// A region of one kind; it becomes one of its two sides.
pub trait Side: Sized {
    type Mem: SharedMem;
    /// Whether a consumer refuses what an honest producer cannot have written.
    const DISTRUSTS: bool;

    /// # Errors
    /// As the region's own function.
    ///
    /// # Safety
    /// The contract of both `attach` functions, for as long as the result is used.
    unsafe fn attach(
        base: NonNull<u8>,
        len: usize,
        geometry: Geometry,
    ) -> Result<Self, RegionError>;

    fn consumer(self) -> Consumer<Self::Mem>;

    fn producer<N: Notify<Self::Mem>>(self, notify: N) -> Producer<Self::Mem, N>;

    /// Takes the next record, or looks at it and leaves it. Where records are copied, `room` bytes
    /// are there for the payload.
    fn poll(consumer: &mut Consumer<Self::Mem>, room: usize, takes: bool) -> Polled;

    /// Writes a record; `granted` sees address and size of what is lent to write to.
    ///
    /// # Errors
    /// [`Refusal`]
    fn send<N: Notify<Self::Mem>>(
        producer: &mut Producer<Self::Mem, N>,
        draft: Draft,
        granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal>;

    /// As [`send`](Self::send), within a batch.
    ///
    /// # Errors
    /// [`Refusal`]
    fn send_in<N: Notify<Self::Mem>>(
        batch: &mut Batch<'_, Self::Mem, N>,
        draft: Draft,
        granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal>;
}

/// Attaching a region, and making one of its sides of it: alike, but of types that share no trait.
macro_rules! become_a_side {
    ($region:ident) => {
        unsafe fn attach(
            base: NonNull<u8>,
            len: usize,
            geometry: Geometry,
        ) -> Result<Self, RegionError> {
            // SAFETY: this function's contract.
            unsafe { $region::attach(base, len, geometry) }
        }

        fn consumer(self) -> Consumer<Self::Mem> {
            self.into_consumer(Polling)
        }

        fn producer<N: Notify<Self::Mem>>(self, notify: N) -> Producer<Self::Mem, N> {
            self.into_producer(notify)
        }
    };
}

/// What a record holds, which is then taken or left.
macro_rules! taken {
    ($record:ident, $takes:ident) => {{
        let (header, payload) = (*$record.header(), $record.payload().to_vec());
        if $takes {
            $record.done();
        }
        Polled::Record { header, payload }
    }};
}

/// Fills and commits a grant, or drops it.
macro_rules! fill {
    ($grant:expr, $draft:ident, $granted:ident) => {{
        let mut grant = $grant.map_err(Refusal::Reserve)?;
        let payload = grant.payload_mut();
        $granted(payload.as_ptr().addr(), payload.len());
        payload.fill($draft.byte);
        let used = $draft.used.ok_or(Refusal::GivenUp)?;
        let header = $draft.header(used);
        grant.commit(&header).map_err(|_| Refusal::PayloadSize)
    }};
}

impl<'m> Side for Region<'m> {
    type Mem = RawMem<'m>;
    const DISTRUSTS: bool = false;

    become_a_side!(Region);

    fn poll(consumer: &mut Consumer<Self::Mem>, _room: usize, takes: bool) -> Polled {
        match consumer.poll() {
            Err(corrupt) => Polled::Corrupt(corrupt),
            Ok(None) => Polled::Empty,
            Ok(Some(record)) => taken!(record, takes),
        }
    }

    fn send<N: Notify<Self::Mem>>(
        producer: &mut Producer<Self::Mem, N>,
        draft: Draft,
        granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal> {
        fill!(producer.reserve(draft.reserved), draft, granted)
    }

    fn send_in<N: Notify<Self::Mem>>(
        batch: &mut Batch<'_, Self::Mem, N>,
        draft: Draft,
        granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal> {
        fill!(batch.reserve(draft.reserved), draft, granted)
    }
}

/// Nothing is lent: the payload is copied from here.
macro_rules! copy {
    ($sender:ident, $draft:ident) => {{
        let used = $draft.used.ok_or(Refusal::GivenUp)?;
        let payload = vec![$draft.byte; $draft.reserved];
        let sent = $sender.send(&$draft.header(used), &payload);
        sent.map_err(|error| match error {
            SendError::Reserve(error) => Refusal::Reserve(error),
            SendError::PayloadSize { payload_size, len } => {
                assert_eq!((payload_size, len), (used, $draft.reserved));
                Refusal::PayloadSize
            }
            other => panic!("a refusal that the oracle does not know: {other:?}"),
        })
    }};
}

impl<'m> Side for UntrustedRegion<'m> {
    type Mem = CopyMem<'m>;
    const DISTRUSTS: bool = true;

    become_a_side!(UntrustedRegion);

    fn poll(consumer: &mut Consumer<Self::Mem>, room: usize, takes: bool) -> Polled {
        let mut buffer = vec![0xa5; room];
        let polled = match consumer.poll_into(&mut buffer) {
            Err(CopyError::Corrupt(corrupt)) => Polled::Corrupt(corrupt),
            Err(CopyError::TooSmall { needed, len }) => {
                assert_eq!(len, room);
                Polled::TooSmall { needed }
            }
            Err(other) => panic!("a refusal that the oracle does not know: {other:?}"),
            Ok(None) => Polled::Empty,
            Ok(Some(record)) => taken!(record, takes),
        };
        let copied = match &polled {
            Polled::Record { payload, .. } => payload.len(),
            _ => 0,
        };
        let untouched = &buffer[copied..];
        assert!(untouched.iter().all(|&byte| byte == 0xa5));
        polled
    }

    fn send<N: Notify<Self::Mem>>(
        producer: &mut Producer<Self::Mem, N>,
        draft: Draft,
        _granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal> {
        copy!(producer, draft)
    }

    fn send_in<N: Notify<Self::Mem>>(
        batch: &mut Batch<'_, Self::Mem, N>,
        draft: Draft,
        _granted: impl FnOnce(usize, usize),
    ) -> Result<(), Refusal> {
        copy!(batch, draft)
    }
}

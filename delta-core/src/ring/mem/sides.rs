//! A region before its sides are taken: made, or found in use, and then given to a writer and a
//! reader.
use super::SharedMem;
use super::order;
use super::reader::Reader;
use super::recover::Start;
use super::writer::Writer;
use crate::ring::error::RegionError;
use crate::ring::layout::{ControlWord, HeaderWords, MAGIC, READY, REGION_VERSION};
use crate::ring::notify::Notify;

/// A region, and where its sides stand.
///
/// Invariant: `start` describes the region, and no handle of a side exists when that side is taken
/// from this value, as its maker has promised.
#[derive(Debug)]
pub(super) struct Sides<M> {
    mem: M,
    start: Start,
    /// Whether the region was in use before: its sides may have vanished at any point.
    is_attached: bool,
}

impl<M: SharedMem> Sides<M> {
    /// Writes an empty ring at `position` (0 but in tests) into the region.
    ///
    /// # Safety
    /// The region is reached by nothing but this value and what is made of it.
    pub(super) unsafe fn create(mem: M, position: u32) -> Self {
        // SAFETY: the caller gives the region to this value alone.
        unsafe { format(&mem, position) };
        Self {
            mem,
            start: Start::empty(position),
            is_attached: false,
        }
    }

    /// Finds the sides of a region that somebody else has made. O(slots).
    ///
    /// # Errors
    /// [`RegionError`] but for `Alignment` and `TooSmall`.
    ///
    /// # Safety
    /// There is at most one handle of each side at a time: while one is made of this value, and
    /// until it is dropped, no other handle of that side exists, here or elsewhere. If the region's
    /// peers are trusted, they keep the ring's rules.
    pub(super) unsafe fn attach(mem: M) -> Result<Self, RegionError> {
        check_control(&mem)?;
        let start = Start::find(&mem).map_err(RegionError::Corrupt)?;
        Ok(Self {
            mem,
            start,
            is_attached: true,
        })
    }

    pub(super) const fn mem(&self) -> &M {
        &self.mem
    }

    pub(super) fn split<N: Notify<M>>(self, notify: &N) -> (Writer<M>, Reader<M>) {
        let reading = Self {
            mem: self.mem.clone(),
            ..self
        };
        (self.writer(notify), reading.reader(notify))
    }

    /// The writing side. In a region that was in use it finishes what a producer that vanished has
    /// left: stamps of an unfinished batch, a waiting flag, a record that was not announced.
    pub(super) fn writer<N: Notify<M>>(self, notify: &N) -> Writer<M> {
        let Self {
            mem,
            start,
            is_attached,
        } = self;
        if is_attached {
            start.clear_unpublished(&mem);
        }
        // SAFETY: this is the region's only writer, and `start` describes it (invariant).
        let writer = unsafe { Writer::new(mem, start) };
        if is_attached {
            writer.resume(notify);
        }
        writer
    }

    /// The reading side. In a region that was in use it finishes what a consumer that vanished has
    /// left: a waiting flag, a release that the producer was not told of.
    pub(super) fn reader<N: Notify<M>>(self, notify: &N) -> Reader<M> {
        let Self {
            mem,
            start,
            is_attached,
        } = self;
        // SAFETY: this is the region's only reader, and `start` describes it (invariant).
        let reader = unsafe { Reader::new(mem, start) };
        if is_attached {
            reader.resume(notify);
        }
        reader
    }
}

/// Writes an empty ring at `position`; `ready` last. O(slots).
///
/// # Safety
/// No other thread accesses the region before it finds it ready.
unsafe fn format<M: SharedMem>(mem: &M, position: u32) {
    let geometry = mem.geometry();
    let store = |word, value| mem.store(word, value, order::FORMAT);
    store(ControlWord::Ready, 0);
    for ahead in 0..geometry.slots() {
        let at = position.wrapping_add(ahead);
        // SAFETY: no other thread accesses the region (contract).
        unsafe { mem.write_header(at, &HeaderWords::ZERO) };
        mem.store_stamp(at, geometry.empty_stamp(at), order::FORMAT);
    }
    store(ControlWord::Magic, MAGIC);
    store(ControlWord::Version, REGION_VERSION);
    store(ControlWord::Slots, geometry.slots());
    store(ControlWord::PayloadBytes, geometry.payload_bytes());
    store(ControlWord::Published, position);
    store(ControlWord::ReadPosition, position);
    store(ControlWord::ConsumerWaiting, 0);
    store(ControlWord::ProducerWaiting, 0);
    mem.store(ControlWord::Ready, READY, order::READY_STORE);
}

/// Checks that the region is finished, known, and of the geometry that it is accessed by.
fn check_control<M: SharedMem>(mem: &M) -> Result<(), RegionError> {
    let geometry = mem.geometry();
    let load = |word| mem.load(word, order::FORMAT);
    // First: the creator wrote the rest before it.
    let is_ready = mem.load(ControlWord::Ready, order::READY_LOAD) == READY;
    let magic = load(ControlWord::Magic);
    if !is_ready && (magic == 0 || magic == MAGIC) {
        return Err(RegionError::NotReady);
    }
    if magic != MAGIC {
        return Err(RegionError::Magic { found: magic });
    }
    let version = load(ControlWord::Version);
    if version != REGION_VERSION {
        return Err(RegionError::Version { found: version });
    }
    let slots = load(ControlWord::Slots);
    let payload_bytes = load(ControlWord::PayloadBytes);
    if slots != geometry.slots() || payload_bytes != geometry.payload_bytes() {
        return Err(RegionError::Geometry {
            slots,
            payload_bytes,
        });
    }
    Ok(())
}

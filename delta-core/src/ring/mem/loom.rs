//! [`LoomMem`]: a region whose every access is checked by loom.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a model may panic: that is how it fails"
)]
extern crate std;

use super::access::{Views, Words};
use super::sides::Sides;
use crate::ring::consumer::Consumer;
use crate::ring::error::RegionError;
use crate::ring::layout::{ControlWord, Geometry, HeaderWords};
use crate::ring::notify::{Notify, Polling};
use crate::ring::producer::Producer;
use core::cell;
use core::ops::{Deref, DerefMut, Range};
use core::sync::atomic::Ordering;
use loom::cell::{ConstPtr, MutPtr, UnsafeCell};
use loom::sync::atomic::{AtomicU32, fence};
use std::boxed::Box;
use std::fmt;
use std::sync::Arc;
use std::vec::Vec;

const GRANULE: usize = 16;
/// Bytes of the control block up to its last word.
const CONTROL_WORDS: usize = ControlWord::ProducerWaiting as usize / 4 + 1;

/// A ring region for loom models, with the same producer and consumer on it as on any other.
///
/// Payloads and headers are tracked in granules of 16 bytes: a read and a write of one granule that
/// no ordering separates fail the model. Stamps and control words are loom atomics.
///
/// ```ignore
/// loom::model(|| {
///     let (mut producer, mut consumer) = LoomMem::ring(Geometry::new(2, 32).unwrap());
///     loom::thread::spawn(move || producer.reserve(0).unwrap().commit(&[0; 64]).unwrap());
///     while consumer.poll().unwrap().is_none() {
///         loom::thread::yield_now();
///     }
/// });
/// ```
#[derive(Clone)]
pub struct LoomMem {
    region: Arc<Region>,
    peer: Arc<Peer>,
}

/// A deliberate mistake, to show that the models find it. Weaker orderings are mistakes of another
/// kind: `cargo xtask loom --mutate` makes them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The ring as it is.
    None,
    /// A record is published when it is reserved, before it is written. For rings from position 0.
    PublishOnReserve,
    /// A record is published after its payload, but before its header is written.
    PublishBeforeHeader,
}

/// Who accesses a region: one process, as it were.
struct Peer {
    fault: Fault,
    /// Shared words that it may still store; then it has vanished.
    stores_left: core::sync::atomic::AtomicU32,
    /// The position that it writes next, for [`Fault::PublishOnReserve`].
    next: core::sync::atomic::AtomicU32,
}

struct Region {
    geometry: Geometry,
    /// A slot each.
    stamps: Vec<AtomicU32>,
    /// A slot each: its four granules. The last has no meaning where the stamp is.
    headers: Vec<[UnsafeCell<[u64; 2]>; 4]>,
    /// One each 16 bytes of `payload`: accessed whenever those bytes are.
    granules: Vec<UnsafeCell<()>>,
    payload: Box<[cell::UnsafeCell<[u64; 2]>]>,
    /// One of these lies at every 4 bytes; only the words in use exist.
    control: Vec<Option<AtomicU32>>,
}

// SAFETY: `payload` is reached through views alone, which hold its granules: loom checks that no
// thread writes a granule while another has it. Everything else is Send.
unsafe impl Send for Region {}
// SAFETY: as for Send.
unsafe impl Sync for Region {}

impl LoomMem {
    /// An empty ring.
    #[must_use]
    pub fn ring(geometry: Geometry) -> (Producer<Self>, Consumer<Self>) {
        Self::zeroed(geometry).create(0, Polling)
    }

    /// Memory for a ring, all zero: no region yet.
    #[must_use]
    pub fn zeroed(geometry: Geometry) -> Self {
        let slots = geometry.slots() as usize;
        let granules = geometry.payload_bytes() as usize / GRANULE;
        let mut control: Vec<_> = (0..CONTROL_WORDS).map(|_| None).collect();
        for word in ControlWord::ALL {
            control[word as usize / 4] = Some(AtomicU32::new(0));
        }
        let region = Region {
            geometry,
            stamps: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            headers: (0..slots)
                .map(|_| core::array::from_fn(|_| UnsafeCell::default()))
                .collect(),
            granules: (0..granules).map(|_| UnsafeCell::new(())).collect(),
            payload: (0..granules).map(|_| cell::UnsafeCell::default()).collect(),
            control,
        };
        Self {
            region: Arc::new(region),
            peer: Peer::new(Fault::None),
        }
    }

    /// Makes an empty ring here, whose first record has `position`: once, before anything else.
    #[must_use]
    pub fn create<N: Notify<Self> + Clone>(
        &self,
        position: u32,
        notify: N,
    ) -> (Producer<Self, N>, Consumer<Self, N>) {
        // SAFETY: loom fails the model if another thread accesses the region meanwhile.
        let sides = unsafe { Sides::create(self.clone(), position) };
        let (writer, reader) = sides.split(&notify);
        (
            Producer::new(writer, notify.clone()),
            Consumer::new(reader, notify),
        )
    }

    /// As [`Region::attach`](super::super::Region::attach), then its `into_producer`.
    ///
    /// # Errors
    /// As there.
    pub fn attach_producer<N: Notify<Self>>(
        &self,
        notify: N,
    ) -> Result<Producer<Self, N>, RegionError> {
        // SAFETY: the accesses of a second handle of a side fail the model.
        let sides = unsafe { Sides::attach(self.clone()) }?;
        Ok(Producer::new(sides.writer(&notify), notify))
    }

    /// As [`Region::attach`](super::super::Region::attach), then its `into_consumer`.
    ///
    /// # Errors
    /// As there.
    pub fn attach_consumer<N: Notify<Self>>(
        &self,
        notify: N,
    ) -> Result<Consumer<Self, N>, RegionError> {
        // SAFETY: the accesses of a second handle of a side fail the model.
        let sides = unsafe { Sides::attach(self.clone()) }?;
        Ok(Consumer::new(sides.reader(&notify), notify))
    }

    /// The same region for another peer, which can make a mistake and can vanish.
    #[doc(hidden)]
    #[must_use]
    pub fn peer(&self, fault: Fault) -> Self {
        Self {
            region: self.region.clone(),
            peer: Peer::new(fault),
        }
    }

    /// This peer vanishes, like a process that is killed, once it has stored so many more shared
    /// words: from then on nothing that it does has an effect.
    #[doc(hidden)]
    pub fn vanish_after(&self, stores: u32) {
        self.peer.stores_left.store(stores, Ordering::Relaxed);
    }

    fn has_vanished(&self) -> bool {
        self.peer.stores_left.load(Ordering::Relaxed) == 0
    }

    /// Counts a store of a shared word; false if it has no effect any more.
    fn may_store(&self) -> bool {
        let left = self.peer.stores_left.load(Ordering::Relaxed);
        if left != u32::MAX {
            let after = left.saturating_sub(1);
            self.peer.stores_left.store(after, Ordering::Relaxed);
        }
        left != 0
    }

    fn stamp(&self, position: u32) -> &AtomicU32 {
        &self.region.stamps[self.region.geometry.index(position) as usize]
    }

    fn publish(&self, position: u32) {
        let stamp = self.region.geometry.ready_stamp(position);
        self.store_stamp(position, stamp, Ordering::Release);
    }

    fn granules(offset: u32, size: u32) -> Range<usize> {
        offset as usize / GRANULE..(offset as usize + size as usize).div_ceil(GRANULE)
    }

    fn payload(&self, offset: u32) -> *mut u8 {
        let first = self.region.payload.as_ptr().cast::<u8>().cast_mut();
        first.wrapping_add(offset as usize)
    }
}

impl Peer {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            stores_left: u32::MAX.into(),
            next: 0.into(),
        })
    }
}

impl Words for LoomMem {
    type Word = AtomicU32;

    fn geometry(&self) -> Geometry {
        self.region.geometry
    }

    fn word(&self, word: ControlWord) -> &AtomicU32 {
        self.region.control[word as usize / 4]
            .as_ref()
            .expect("a word in use")
    }

    fn load(&self, word: ControlWord, order: Ordering) -> u32 {
        if self.has_vanished() {
            // No waiting flag is set: it wakes nobody.
            return 0;
        }
        self.word(word).load(order)
    }

    fn store(&self, word: ControlWord, value: u32, order: Ordering) {
        if self.may_store() {
            self.word(word).store(value, order);
        }
    }

    fn load_stamp(&self, position: u32, order: Ordering) -> u32 {
        self.stamp(position).load(order)
    }

    fn store_stamp(&self, position: u32, stamp: u32, order: Ordering) {
        if self.may_store() {
            self.stamp(position).store(stamp, order);
        }
    }

    fn fence(&self, order: Ordering) {
        if order != Ordering::Relaxed && !self.has_vanished() {
            fence(order);
        }
    }

    fn is_dead() -> bool {
        std::thread::panicking()
    }

    fn pause() {
        loom::thread::yield_now();
    }

    unsafe fn read_header(&self, position: u32) -> HeaderWords {
        let mut words = [0; 8];
        // SAFETY: the stamp is a part of what is read, so that nobody may store it meanwhile, which
        // loom checks.
        unsafe { self.stamp(position).unsync_load() };
        let granules = &self.region.headers[self.region.geometry.index(position) as usize];
        for (pair, granule) in words.as_chunks_mut().0.iter_mut().zip(granules) {
            // SAFETY: loom hands out the granule's pointer and checks that nobody writes it.
            *pair = granule.with(|granule| unsafe { *granule });
        }
        HeaderWords(words)
    }

    unsafe fn write_header(&self, position: u32, header: &HeaderWords) {
        if self.peer.fault == Fault::PublishBeforeHeader {
            self.publish(position);
        }
        let granules = &self.region.headers[self.region.geometry.index(position) as usize];
        for (pair, granule) in header.0.as_chunks().0.iter().zip(granules) {
            // SAFETY: loom hands out the granule's pointer and checks that nobody accesses it.
            granule.with_mut(|granule| unsafe { *granule = *pair });
        }
        self.peer
            .next
            .store(position.wrapping_add(1), Ordering::Relaxed);
    }
}

impl Views for LoomMem {
    type View = LoomView;
    type ViewMut = LoomViewMut;

    unsafe fn view(&self, offset: u32, size: u32) -> LoomView {
        let granules = self.region.granules[Self::granules(offset, size)].iter();
        LoomView {
            granules: granules.map(UnsafeCell::get).collect(),
            bytes: self.payload(offset),
            size: size as usize,
            region: self.clone(),
        }
    }

    unsafe fn view_mut(&self, offset: u32, size: u32) -> LoomViewMut {
        if self.peer.fault == Fault::PublishOnReserve {
            self.publish(self.peer.next.load(Ordering::Relaxed));
        }
        let granules = self.region.granules[Self::granules(offset, size)].iter();
        LoomViewMut {
            granules: granules.map(UnsafeCell::get_mut).collect(),
            bytes: self.payload(offset),
            size: size as usize,
            region: self.clone(),
        }
    }
}

impl fmt::Debug for LoomMem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoomMem")
            .field("geometry", &self.region.geometry)
            .finish_non_exhaustive()
    }
}

/// `size` payload bytes at `bytes` in `region`, under read access of their granules.
#[derive(Debug)]
pub struct LoomView {
    #[expect(dead_code, reason = "held, for loom")]
    granules: Vec<ConstPtr<()>>,
    bytes: *const u8,
    size: usize,
    #[expect(dead_code, reason = "held, to keep the bytes")]
    region: LoomMem,
}

impl Deref for LoomView {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `bytes..+size` lies in the region's payload, which `region` keeps; loom fails the
        // model if a thread writes one of `granules` while this lives.
        unsafe { core::slice::from_raw_parts(self.bytes, self.size) }
    }
}

/// `size` payload bytes at `bytes` in `region`, under write access of their granules.
#[derive(Debug)]
pub struct LoomViewMut {
    #[expect(dead_code, reason = "held, for loom")]
    granules: Vec<MutPtr<()>>,
    bytes: *mut u8,
    size: usize,
    #[expect(dead_code, reason = "held, to keep the bytes")]
    region: LoomMem,
}

impl Deref for LoomViewMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `bytes..+size` lies in the region's payload, which `region` keeps; loom fails the
        // model if a thread accesses one of `granules` while this lives.
        unsafe { core::slice::from_raw_parts(self.bytes, self.size) }
    }
}

impl DerefMut for LoomViewMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; the slice borrows `self` mutably: it is the only one.
        unsafe { core::slice::from_raw_parts_mut(self.bytes, self.size) }
    }
}

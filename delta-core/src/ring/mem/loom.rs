//! [`LoomMem`]: a region whose every access is checked by loom.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a model may panic: that is how it fails"
)]
extern crate std;

use super::access::Access;
use super::reader::Reader;
use super::recover::Start;
use super::writer::Writer;
use crate::ring::consumer::Consumer;
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
pub struct LoomMem(Arc<Region>);

/// A deliberate mistake, to show that the models find it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The ring as it is.
    None,
    /// A record is published when it is reserved, before it is written.
    PublishOnReserve,
    /// A record is published after its payload, but before its header is written.
    PublishBeforeHeader,
    /// The stamp is stored Relaxed, not Release.
    StampStoreRelaxed,
    /// The stamp is loaded Relaxed, not Acquire.
    StampLoadRelaxed,
    /// The read position is stored Relaxed, not Release.
    ReadPositionStoreRelaxed,
    /// The read position is loaded Relaxed, not Acquire.
    ReadPositionLoadRelaxed,
    /// The fences around the waiting flags are left out.
    NoFence,
}

struct Region {
    geometry: Geometry,
    fault: Fault,
    /// A slot each.
    stamps: Vec<AtomicU32>,
    /// A slot each: its four granules. The last has no meaning where the stamp is.
    headers: Vec<[UnsafeCell<[u64; 2]>; 4]>,
    /// One each 16 bytes of `payload`: accessed whenever those bytes are.
    granules: Vec<UnsafeCell<()>>,
    payload: Box<[cell::UnsafeCell<[u64; 2]>]>,
    /// One of these lies at every 4 bytes; only the words in use exist.
    control: Vec<Option<AtomicU32>>,
    /// The position that is written next, for [`Fault::PublishOnReserve`].
    next: core::sync::atomic::AtomicU32,
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
        Self::ring_at(geometry, 0, Fault::None, Polling)
    }

    /// An empty ring whose first record has `position`, with a mistake.
    #[doc(hidden)]
    #[must_use]
    pub fn ring_at<N: Notify<Self> + Clone>(
        geometry: Geometry,
        position: u32,
        fault: Fault,
        notify: N,
    ) -> (Producer<Self, N>, Consumer<Self, N>) {
        let slots = geometry.slots();
        let words = [
            ControlWord::Published,
            ControlWord::ReadPosition,
            ControlWord::ConsumerWaiting,
            ControlWord::ProducerWaiting,
        ];
        let mut control: Vec<_> = (0..CONTROL_WORDS).map(|_| None).collect();
        for word in words {
            let is_position = matches!(word, ControlWord::Published | ControlWord::ReadPosition);
            let value = if is_position { position } else { 0 };
            control[word as usize / 4] = Some(AtomicU32::new(value));
        }
        let mut stamps: Vec<_> = (0..slots).map(|_| None).collect();
        for at in (0..slots).map(|ahead| position.wrapping_add(ahead)) {
            stamps[geometry.index(at) as usize] = Some(AtomicU32::new(geometry.empty_stamp(at)));
        }
        let granules = geometry.payload_bytes() as usize / GRANULE;
        let mem = Self(Arc::new(Region {
            geometry,
            fault,
            stamps: stamps.into_iter().flatten().collect(),
            headers: (0..slots)
                .map(|_| core::array::from_fn(|_| UnsafeCell::default()))
                .collect(),
            granules: (0..granules).map(|_| UnsafeCell::new(())).collect(),
            payload: (0..granules).map(|_| cell::UnsafeCell::default()).collect(),
            control,
            next: position.into(),
        }));
        let start = Start::empty(position);
        // SAFETY: the region is new, so this is its only writer, and it is empty at `position`.
        let writer = unsafe { Writer::new(mem.clone(), start) };
        // SAFETY: likewise its only reader.
        let reader = unsafe { Reader::new(mem, start) };
        (
            Producer::new(writer, notify.clone()),
            Consumer::new(reader, notify),
        )
    }

    fn stamp(&self, position: u32) -> &AtomicU32 {
        &self.0.stamps[self.0.geometry.index(position) as usize]
    }

    fn granules(offset: u32, size: u32) -> Range<usize> {
        offset as usize / GRANULE..(offset as usize + size as usize).div_ceil(GRANULE)
    }

    fn payload(&self, offset: u32) -> *mut u8 {
        let first = self.0.payload.as_ptr().cast::<u8>().cast_mut();
        first.wrapping_add(offset as usize)
    }

    fn or_relaxed(&self, fault: Fault, ordering: Ordering) -> Ordering {
        if self.0.fault == fault {
            Ordering::Relaxed
        } else {
            ordering
        }
    }
}

impl Access for LoomMem {
    type Word = AtomicU32;
    type View = LoomView;
    type ViewMut = LoomViewMut;

    fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    fn word(&self, word: ControlWord) -> &AtomicU32 {
        self.0.control[word as usize / 4]
            .as_ref()
            .expect("a word that the sides use")
    }

    fn load(&self, word: ControlWord) -> u32 {
        let ordering = match word {
            ControlWord::ReadPosition => {
                self.or_relaxed(Fault::ReadPositionLoadRelaxed, Ordering::Acquire)
            }
            _ => Ordering::Acquire,
        };
        self.word(word).load(ordering)
    }

    fn store(&self, word: ControlWord, value: u32) {
        let ordering = match word {
            ControlWord::ReadPosition => {
                self.or_relaxed(Fault::ReadPositionStoreRelaxed, Ordering::Release)
            }
            _ => Ordering::Release,
        };
        self.word(word).store(value, ordering);
    }

    fn load_stamp(&self, position: u32) -> u32 {
        let ordering = self.or_relaxed(Fault::StampLoadRelaxed, Ordering::Acquire);
        self.stamp(position).load(ordering)
    }

    fn store_stamp(&self, position: u32, stamp: u32) {
        let ordering = self.or_relaxed(Fault::StampStoreRelaxed, Ordering::Release);
        self.stamp(position).store(stamp, ordering);
    }

    fn fence(&self) {
        if self.0.fault != Fault::NoFence {
            fence(Ordering::SeqCst);
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
        let granules = &self.0.headers[self.0.geometry.index(position) as usize];
        for (pair, granule) in words.as_chunks_mut().0.iter_mut().zip(granules) {
            // SAFETY: loom hands out the granule's pointer and checks that nobody writes it.
            *pair = granule.with(|granule| unsafe { *granule });
        }
        HeaderWords(words)
    }

    unsafe fn write_header(&self, position: u32, header: &HeaderWords) {
        if self.0.fault == Fault::PublishBeforeHeader {
            self.store_stamp(position, self.0.geometry.ready_stamp(position));
        }
        let granules = &self.0.headers[self.0.geometry.index(position) as usize];
        for (pair, granule) in header.0.as_chunks().0.iter().zip(granules) {
            // SAFETY: loom hands out the granule's pointer and checks that nobody accesses it.
            granule.with_mut(|granule| unsafe { *granule = *pair });
        }
        self.0
            .next
            .store(position.wrapping_add(1), Ordering::Relaxed);
    }

    unsafe fn view(&self, offset: u32, size: u32) -> LoomView {
        let granules = self.0.granules[Self::granules(offset, size)].iter();
        LoomView {
            granules: granules.map(UnsafeCell::get).collect(),
            bytes: self.payload(offset),
            size: size as usize,
            region: self.clone(),
        }
    }

    unsafe fn view_mut(&self, offset: u32, size: u32) -> LoomViewMut {
        if self.0.fault == Fault::PublishOnReserve {
            let position = self.0.next.load(Ordering::Relaxed);
            self.store_stamp(position, self.0.geometry.ready_stamp(position));
        }
        let granules = self.0.granules[Self::granules(offset, size)].iter();
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
            .field("geometry", &self.0.geometry)
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

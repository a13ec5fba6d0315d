//! That nothing gets at a stage while a call of it runs: Miri sees a second reference to it, and
//! threads that meet in it.
#![expect(unsafe_code, reason = "writes layouts, as a host does")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::{CONTEXT_ALIGN, Stage, call, open, size};
use crate::error::CallError;
use crate::layout::Layout;

/// A stage that counts, and is as large as a layout at least.
struct Counting {
    count: u32,
    _room: [u64; Layout::WORDS],
}

impl Stage for Counting {
    const TAG: u32 = u32::from_le_bytes(*b"DLTt");
    type Fault = CallError;

    fn open(layout: &Layout) -> Result<Self, CallError> {
        match layout.dim {
            0 => Err(CallError::Layout { word: 1 }),
            _ => Ok(Self {
                count: 0,
                _room: [0; Layout::WORDS],
            }),
        }
    }
}

/// Memory for a context, for as long as the program runs.
fn context() -> usize {
    let bytes = vec![0_u8; size::<Counting>() + CONTEXT_ALIGN].leak();
    let address = bytes.as_mut_ptr().expose_provenance();
    address.next_multiple_of(CONTEXT_ALIGN)
}

/// Opens the stage with rows of `dim` components in a context that no call is in.
fn open_at(address: usize, dim: u64) -> i32 {
    let mut words = [0; Layout::WORDS];
    words[..2].copy_from_slice(&[2, dim]);
    let place = core::ptr::with_exposed_provenance_mut::<[u64; Layout::WORDS]>(address);
    // SAFETY: the words lie in the memory of a test's own context, and no call is in it.
    unsafe { place.write(words) };
    open::<Counting>(address)
}

fn opened() -> usize {
    let address = context();
    assert_eq!(open_at(address, 1), 0);
    address
}

/// Adds `more`; returns the count.
fn count(address: usize, more: u32) -> i32 {
    call(address, |stage: &mut Counting| {
        stage.count += more;
        Ok(stage.count)
    })
}

#[test]
fn a_call_within_a_call_is_refused_and_the_outer_one_goes_on() {
    let address = opened();
    let outer = call(address, |stage: &mut Counting| {
        stage.count += 1;
        assert_eq!(count(address, 100), CallError::Busy.code());
        stage.count += 1;
        assert_eq!(count(address, 100), CallError::Busy.code());
        Ok(stage.count)
    });
    assert_eq!(outer, 2);
    assert_eq!(count(address, 1), 3);
}

#[test]
fn a_call_within_a_call_of_another_context_is_none() {
    let (outer, inner) = (opened(), opened());
    let both = call(outer, |stage: &mut Counting| {
        stage.count += u32::try_from(count(inner, 5)).unwrap();
        Ok(stage.count)
    });
    assert_eq!((both, count(inner, 0)), (5, 5));
}

#[test]
fn threads_enter_one_at_a_time_or_are_refused() {
    const THREADS: usize = 3;
    const CALLS: usize = if cfg!(miri) { 20 } else { 2_000 };
    let address = opened();
    let entered: usize = thread::scope(|scope| {
        let counted = || (0..CALLS).filter(|_| count(address, 1) > 0).count();
        let threads = [(); THREADS].map(|()| scope.spawn(counted));
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert!(entered >= 1);
    assert_eq!(usize::try_from(count(address, 0)), Ok(entered));
}

#[test]
fn a_stage_that_trapped_is_closed_until_it_is_opened_anew() {
    let address = opened();
    let trapped = catch_unwind(AssertUnwindSafe(|| {
        call(address, |_: &mut Counting| -> Result<u32, CallError> {
            panic!("a fault of the stage's own")
        })
    }));
    assert!(trapped.is_err());
    assert_eq!(count(address, 1), CallError::Busy.code());
    assert_eq!(open_at(address, 1), 0);
    assert_eq!(count(address, 1), 1);
}

#[test]
fn a_stage_that_did_not_open_is_not_entered() {
    let address = context();
    assert_eq!(count(address, 1), -5);
    assert_eq!(open_at(address, 0), -8);
    assert_eq!(count(address, 1), -5);
    assert_eq!(count(address, 1), -5);
}

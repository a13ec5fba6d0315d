//! Who may be producer or consumer of a shared region: one process each, by a lock of the system.
#![allow(
    unsafe_code,
    reason = "locks of open file descriptions have no safe interface"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use delta_core::ring::{Notify, SharedMem, WaitWord};

/// A side of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Writes records.
    Producer,
    /// Reads them.
    Consumer,
}

impl Role {
    /// The byte of the region's file that stands for the role. Locks are advisory and touch no
    /// content: any two would do.
    const fn byte(self) -> libc::off_t {
        match self {
            Self::Producer => 0,
            Self::Consumer => 1,
        }
    }
}

/// The lock of a role, given back when this is dropped or when the process ends, however it does.
///
/// The lock belongs to an open file description of its own, so a second one in this process is
/// refused as well.
#[derive(Debug)]
pub(super) struct RoleLock {
    #[expect(dead_code, reason = "closing it gives the lock back")]
    file: File,
}

impl RoleLock {
    /// Locks a role of the region in `file`; `None` if somebody has it.
    pub(super) fn take(file: &File, role: Role) -> io::Result<Option<Self>> {
        // A file description of our own: the locks of one that we share would not exclude us.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let file = File::options().read(true).write(true).open(path)?;
        Ok(lock_byte(file.as_fd(), role.byte())?.then_some(Self { file }))
    }
}

/// Locks one byte for writing, for the open file description; false if another one has it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "both constants are below 3, and short in the structure"
)]
fn lock_byte(file: BorrowedFd<'_>, byte: libc::off_t) -> io::Result<bool> {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open (borrowed), and F_OFD_SETLK reads the `flock` that the pointer
    // leads to, which lives until the call has returned, and writes nothing.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if result != -1 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

/// A way to wait that holds a role: the role is free again once the end of the ring that waits so
/// is dropped.
#[derive(Debug)]
pub struct Held<N> {
    notify: N,
    #[expect(dead_code, reason = "dropping it gives the role back")]
    lock: RoleLock,
}

impl<N> Held<N> {
    pub(super) const fn new(notify: N, lock: RoleLock) -> Self {
        Self { notify, lock }
    }
}

impl<M: SharedMem, N: Notify<M>> Notify<M> for Held<N> {
    const SLEEPS: bool = N::SLEEPS;

    #[inline]
    fn wait(&self, word: WaitWord<'_, M>, expected: u32) {
        self.notify.wait(word, expected);
    }

    #[inline]
    fn wake(&self, word: WaitWord<'_, M>) {
        self.notify.wake(word);
    }
}

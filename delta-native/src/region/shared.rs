//! [`SharedRegion`]: a ring between processes.
#![allow(
    unsafe_code,
    reason = "attaching to memory that another process has is the caller's promise"
)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use delta_core::ring::{
    Consumer, CopyMem, Geometry, Notify, Producer, RawMem, Region, RegionError, UntrustedRegion,
};
use memmap2::MmapRaw;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, memfd_create};

use super::role::{Held, Role, RoleLock};

/// A ring's region in a file, or in anonymous memory that has a file descriptor, mapped by each of
/// the processes that share it.
///
/// Each side is one process at a time: taking it takes a lock of the operating system, which is
/// given back when the end of the ring is dropped or its process ends, by whatever signal. The next
/// producer goes on behind the last committed record; the next consumer reads again what was not
/// released. What was being written when a producer was killed is gone without a trace.
///
/// ```
/// use delta_core::ring::{Geometry, Polling};
/// use delta_native::region::{Role, SharedError, SharedRegion};
///
/// let geometry = Geometry::new(8, 1024)?;
/// let region = SharedRegion::create_anonymous(geometry)?;
/// // In another process, or here:
/// let peer = SharedRegion::open(&region.path_for_peers(), geometry)?;
///
/// let mut producer = region.untrusting_producer(Polling)?;
/// let mut consumer = peer.untrusting_consumer(Polling)?;
/// let taken = peer.untrusting_producer(Polling).unwrap_err();
/// assert!(matches!(taken, SharedError::RoleTaken { role: Role::Producer }));
///
/// let mut header = [0; 64];
/// header[28] = 5; // payload_size
/// producer.send(&header, b"delta")?;
/// let mut payload = [0; 512];
/// let record = consumer.poll_into(&mut payload)?.ok_or("empty")?;
/// assert_eq!(record.payload(), b"delta");
/// record.done();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SharedRegion {
    file: File,
    /// The whole file, at least `geometry.region_size()` bytes when it was mapped.
    map: MmapRaw,
    geometry: Geometry,
}

impl SharedRegion {
    /// Makes an empty ring in a new file at `path`, which appears there finished or not at all.
    ///
    /// On a file system in memory (`/dev/shm`) nothing is ever written to a disk.
    ///
    /// # Errors
    /// [`SharedError::Io`]: among others if there is such a file already, or no room for it.
    pub fn create(path: &Path, geometry: Geometry) -> Result<Self, SharedError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let create = || -> io::Result<File> {
            let file = tempfile::NamedTempFile::new_in(folder)?;
            fill(file.as_file(), geometry)?;
            file.persist_noclobber(path).map_err(|error| error.error)
        };
        let file = create().map_err(SharedError::io("create", path))?;
        Self::map(file, geometry, path)
    }

    /// Makes an empty ring in memory that goes with the last process that has it. Its size is
    /// sealed: no peer can take the memory away.
    ///
    /// # Errors
    /// [`SharedError::Io`].
    pub fn create_anonymous(geometry: Geometry) -> Result<Self, SharedError> {
        let name = Path::new("delta-ring");
        let create = || -> io::Result<File> {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let file = File::from(memfd_create(name, flags)?);
            fill(&file, geometry)?;
            fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
            Ok(file)
        };
        let file = create().map_err(SharedError::io("create", name))?;
        Self::map(file, geometry, name)
    }

    /// Opens a region that somebody else has made: its file, or the
    /// [`path_for_peers`](Self::path_for_peers) of anonymous memory.
    ///
    /// A file that is made smaller while it is mapped ends the processes that access what is gone
    /// (SIGBUS): whoever may write to the file can do that, but not to anonymous memory.
    ///
    /// # Errors
    /// [`SharedError::Io`]; [`SharedError::Region`]: the file is too small.
    pub fn open(path: &Path, geometry: Geometry) -> Result<Self, SharedError> {
        let open = || File::options().read(true).write(true).open(path);
        let file = open().map_err(SharedError::io("open", path))?;
        Self::map(file, geometry, path)
    }

    fn map(file: File, geometry: Geometry, path: &Path) -> Result<Self, SharedError> {
        let map = MmapRaw::map_raw(&file).map_err(SharedError::io("map", path))?;
        let (len, needed) = (map.len(), geometry.region_size());
        if len < needed {
            return Err(RegionError::TooSmall { len, needed }.into());
        }
        Ok(Self {
            file,
            map,
            geometry,
        })
    }

    /// Where other processes of this user find the region as long as this process has it: it need
    /// have no name.
    #[must_use]
    pub fn path_for_peers(&self) -> PathBuf {
        let (process, file) = (std::process::id(), self.file.as_raw_fd());
        PathBuf::from(format!("/proc/{process}/fd/{file}"))
    }

    /// The region's shape.
    #[must_use]
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Becomes the producer, and goes on behind the last record that was committed. O(slots).
    ///
    /// # Errors
    /// [`SharedError::RoleTaken`]; [`SharedError::Region`]: the file is no ring of this geometry,
    /// or a damaged one; [`SharedError::Io`].
    ///
    /// # Safety
    /// Until the producer is dropped, whoever writes to the region, here or in another process,
    /// does so as an end of the ring that was taken by this type or another one that keeps its
    /// locks; and the consumer's process is trusted to be correct.
    pub unsafe fn producer<'a, N: Notify<RawMem<'a>>>(
        &'a self,
        notify: N,
    ) -> Result<Producer<RawMem<'a>, Held<N>>, SharedError> {
        let lock = self.lock(Role::Producer)?;
        // SAFETY: this function's contract.
        let region = unsafe { self.attach() }?;
        Ok(region.into_producer(Held::new(notify, lock)))
    }

    /// Becomes the consumer, and goes on behind the last record that was released. O(slots).
    ///
    /// # Errors
    /// As [`producer`](Self::producer).
    ///
    /// # Safety
    /// As [`producer`](Self::producer), with the producer's process trusted.
    pub unsafe fn consumer<'a, N: Notify<RawMem<'a>>>(
        &'a self,
        notify: N,
    ) -> Result<Consumer<RawMem<'a>, Held<N>>, SharedError> {
        let lock = self.lock(Role::Consumer)?;
        // SAFETY: this function's contract.
        let region = unsafe { self.attach() }?;
        Ok(region.into_consumer(Held::new(notify, lock)))
    }

    /// Becomes the producer without trust in the consumer's process: records are copied in.
    /// O(slots).
    ///
    /// # Errors
    /// As [`producer`](Self::producer).
    pub fn untrusting_producer<'a, N: Notify<CopyMem<'a>>>(
        &'a self,
        notify: N,
    ) -> Result<Producer<CopyMem<'a>, Held<N>>, SharedError> {
        let lock = self.lock(Role::Producer)?;
        Ok(self
            .attach_untrusted()?
            .into_producer(Held::new(notify, lock)))
    }

    /// Becomes the consumer without trust in the producer's process: records are copied out, to be
    /// checked then. O(slots).
    ///
    /// # Errors
    /// As [`producer`](Self::producer).
    pub fn untrusting_consumer<'a, N: Notify<CopyMem<'a>>>(
        &'a self,
        notify: N,
    ) -> Result<Consumer<CopyMem<'a>, Held<N>>, SharedError> {
        let lock = self.lock(Role::Consumer)?;
        Ok(self
            .attach_untrusted()?
            .into_consumer(Held::new(notify, lock)))
    }

    fn lock(&self, role: Role) -> Result<RoleLock, SharedError> {
        RoleLock::take(&self.file, role)
            .map_err(SharedError::io("lock", &self.path_for_peers()))?
            .ok_or(SharedError::RoleTaken { role })
    }

    /// # Safety
    /// As [`producer`](Self::producer); the role that is taken of the result is locked.
    unsafe fn attach(&self) -> Result<Region<'_>, SharedError> {
        let (base, len) = self.memory();
        // SAFETY: a mapping is readable, writable and initialised as long as `self` lives, which
        // the result borrows; the lock keeps other handles of the side away, and the other side
        // keeps the rules (contract).
        Ok(unsafe { Region::attach(base, len, self.geometry) }?)
    }

    /// The role that is taken of the result is locked.
    fn attach_untrusted(&self) -> Result<UntrustedRegion<'_>, SharedError> {
        let (base, len) = self.memory();
        // SAFETY: a mapping is readable, writable and initialised as long as `self` lives, which
        // the result borrows; nothing of this program accesses it but handles, and the lock keeps
        // others of the same side away.
        Ok(unsafe { UntrustedRegion::attach(base, len, self.geometry) }?)
    }

    fn memory(&self) -> (NonNull<u8>, usize) {
        // A mapping has an address; that of `dangling` is unaligned, so attaching refuses it.
        let base = NonNull::new(self.map.as_mut_ptr()).unwrap_or(NonNull::dangling());
        (base, self.map.len())
    }
}

/// Writes an empty ring into a new file, with room on the disk for all of it: a write to memory
/// that finds none would end the process.
fn fill(file: &File, geometry: Geometry) -> io::Result<()> {
    let size = geometry.region_size() as u64;
    file.set_len(size)?;
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        // Some file systems cannot promise room.
        Err(rustix::io::Errno::OPNOTSUPP) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(&geometry.control_block(), geometry.control_offset() as u64)
}

/// Why a shared region, or a side of it, could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The system refused something.
    #[error("cannot {action} the region {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The region's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The role's lock is held, here or in another process.
    #[error("the region has a {role:?} already: wait until it ends, and take the role then")]
    RoleTaken {
        /// The role.
        role: Role,
    },
    /// The memory is no ring region that one can use.
    #[error(transparent)]
    Region(#[from] RegionError),
}

impl SharedError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;

//! Temporary files for sorting and grouping what does not fit in memory.
//!
//! SQLite asks its file layer for files without a name; this one gives it such files and no others: nothing that has a name can be
//! opened, looked for or removed through it. A file lies in one directory, only its owner can read it, and it has lost its
//! name before SQLite writes to it, so that nothing is left behind by whatever ends the process. Bytes written count against the
//! budget of the query that runs on the thread; beyond it SQLite is told that the disk is full.
#![expect(unsafe_code, reason = "SQLite takes its file layer as C structures; these hand out Rust's own files")]

use std::{
    cell::RefCell,
    ffi::{CStr, c_char, c_int, c_void},
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::ffi;
use rustix::fs::statvfs;

use crate::limits::Spill;

/// What connections ask for to use these files.
pub const NAME: &CStr = c"muster-spill";
/// Kinds of file that are handed out: none of them outlives its connection.
const TEMPORARY: c_int = ffi::SQLITE_OPEN_TEMP_DB
    | ffi::SQLITE_OPEN_TEMP_JOURNAL
    | ffi::SQLITE_OPEN_TRANSIENT_DB
    | ffi::SQLITE_OPEN_SUBJOURNAL;
/// SQLite's own bound on the length of names; it makes room for them.
const NAME_BYTES_MAX: c_int = 512;
const SECTOR_BYTES: c_int = 4_096;
/// Bytes after which the free space of the disk is looked at again.
const LOOK_BYTES: u64 = 32 << 20;
/// What the names of files begin with while they have one.
const PREFIX: &str = "sort-";

thread_local! {
    /// What the query on this thread may write, and where; `None` when none runs or it may not write anything.
    static ROOM: RefCell<Option<Room>> = const { RefCell::new(None) };
}

/// Where a query may write, and how much.
#[derive(Debug)]
struct Room {
    place: Spill,
    left: u64,
    /// Bytes that may be taken before the disk is looked at.
    looked: u64,
    refused: bool,
}

impl Room {
    /// Takes room for bytes to be written; whether there was any, in the budget and on the disk.
    fn take(&mut self, bytes: u64) -> bool {
        if bytes > self.looked {
            let free = statvfs(&self.place.dir).map_or(0, |about| about.f_bavail.saturating_mul(about.f_frsize));
            let spare = free.saturating_sub(self.place.free_bytes_min) >= LOOK_BYTES;
            self.looked = if spare { LOOK_BYTES } else { 0 };
        }
        let fits = bytes <= self.left && bytes <= self.looked;
        match fits {
            true => (self.left, self.looked) = (self.left - bytes, self.looked - bytes),
            false => self.refused = true,
        }
        fits
    }
}

/// Room for the query on this thread until it is dropped.
#[derive(Debug)]
pub struct Allowance(());

impl Allowance {
    /// Lets the query on this thread write so many bytes; nothing without a place for them.
    pub fn start(place: Option<&Spill>, bytes_max: u64) -> Allowance {
        let room = place.map(|place| Room { place: place.clone(), left: bytes_max, looked: 0, refused: false });
        ROOM.with_borrow_mut(|known| *known = room);
        Allowance(())
    }

    /// Whether it was refused any.
    pub fn was_exceeded(&self) -> bool {
        ROOM.with_borrow(|room| room.as_ref().is_some_and(|room| room.refused))
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        ROOM.with_borrow_mut(|room| *room = None);
    }
}

fn take(bytes: u64) -> bool {
    bytes == 0 || ROOM.with_borrow_mut(|room| room.as_mut().is_some_and(|room| room.take(bytes)))
}

/// Gives room back.
fn give(bytes: u64) {
    ROOM.with_borrow_mut(|room| {
        if let Some(room) = room {
            room.left = room.left.saturating_add(bytes);
        }
    });
}

/// A file that has no name any more.
fn nameless() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let dir = ROOM.with_borrow(|room| room.as_ref().map(|room| room.place.dir.clone()));
    let dir = dir.ok_or_else(|| io::Error::from(io::ErrorKind::PermissionDenied))?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let path = dir.join(format!("{PREFIX}{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Makes the layer known to SQLite, once a process. `false` when SQLite does not take it.
pub fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        // SAFETY: SQLite's own layer is there for as long as the process; ours is leaked and so is as well. All functions in
        // it have the types that SQLite declares, and those that it would need beyond version 1 are never asked for.
        unsafe {
            let plain = ffi::sqlite3_vfs_find(std::ptr::null());
            if plain.is_null() {
                return false;
            }
            let layer = Box::leak(Box::new(std::mem::zeroed::<ffi::sqlite3_vfs>()));
            layer.iVersion = 1;
            layer.szOsFile = size_of::<Handle>() as c_int;
            layer.mxPathname = NAME_BYTES_MAX;
            layer.zName = NAME.as_ptr();
            layer.xOpen = Some(open);
            layer.xDelete = Some(delete);
            layer.xAccess = Some(access);
            layer.xFullPathname = Some(full_name);
            layer.xRandomness = (*plain).xRandomness;
            layer.xSleep = (*plain).xSleep;
            layer.xCurrentTime = (*plain).xCurrentTime;
            ffi::sqlite3_vfs_register(layer, 0) == ffi::SQLITE_OK
        }
    })
}

/// A file as SQLite holds it.
#[repr(C)]
struct Handle {
    /// SQLite's part.
    base: ffi::sqlite3_file,
    /// Made by `Box::into_raw` when it is opened and taken back when it is closed.
    spilled: *mut Spilled,
}

/// A file, and how long it is.
struct Spilled {
    file: File,
    length: u64,
}

impl Drop for Spilled {
    fn drop(&mut self) {
        give(self.length);
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// Runs what SQLite calls; a panic must not leave here and becomes this error.
fn guarded(otherwise: c_int, work: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

unsafe extern "C" fn open(
    _layer: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    place: *mut ffi::sqlite3_file,
    flags: c_int,
    told: *mut c_int,
) -> c_int {
    let handle = place.cast::<Handle>();
    // SAFETY: SQLite made room for `szOsFile` bytes at `place`, which a `Handle` is; without methods it is never closed.
    unsafe { (*handle).base.pMethods = std::ptr::null() };
    if !name.is_null() || flags & TEMPORARY == 0 {
        return ffi::SQLITE_CANTOPEN;
    }
    guarded(ffi::SQLITE_CANTOPEN, || {
        let Ok(file) = nameless() else { return ffi::SQLITE_CANTOPEN };
        let spilled = Box::into_raw(Box::new(Spilled { file, length: 0 }));
        // SAFETY: as above; `told` may be null and is written otherwise.
        unsafe {
            (*handle).spilled = spilled;
            (*handle).base.pMethods = &raw const METHODS;
            if !told.is_null() {
                *told = flags;
            }
        }
        ffi::SQLITE_OK
    })
}

/// The file behind what SQLite holds.
///
/// # Safety
/// `place` was opened by `open` and not closed yet, and nobody else uses it meanwhile, as SQLite promises.
unsafe fn spilled<'f>(place: *mut ffi::sqlite3_file) -> &'f mut Spilled {
    // SAFETY: the caller's promise; `open` put a valid pointer there.
    unsafe { &mut *(*place.cast::<Handle>()).spilled }
}

unsafe extern "C" fn close(place: *mut ffi::sqlite3_file) -> c_int {
    guarded(ffi::SQLITE_IOERR_CLOSE, || {
        // SAFETY: SQLite closes a file once; the pointer is the one that `open` made.
        unsafe { drop(Box::from_raw((*place.cast::<Handle>()).spilled)) };
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn read(
    place: *mut ffi::sqlite3_file,
    to: *mut c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    guarded(ffi::SQLITE_IOERR_READ, || {
        let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), u64::try_from(at)) else { return ffi::SQLITE_IOERR_READ };
        // SAFETY: SQLite made room for so many bytes; the file is open.
        let (spilled, to) = unsafe { (spilled(place), std::slice::from_raw_parts_mut(to.cast::<u8>(), bytes)) };
        let there = spilled.length.saturating_sub(at).min(bytes as u64) as usize;
        if spilled.file.read_exact_at(&mut to[..there], at).is_err() {
            return ffi::SQLITE_IOERR_READ;
        }
        to[there..].fill(0);
        if there == bytes { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
    })
}

unsafe extern "C" fn write(
    place: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    guarded(ffi::SQLITE_IOERR_WRITE, || {
        let (Ok(bytes), Ok(at)) = (usize::try_from(bytes), u64::try_from(at)) else { return ffi::SQLITE_IOERR_WRITE };
        // SAFETY: SQLite hands over so many bytes; the file is open.
        let (spilled, from) = unsafe { (spilled(place), std::slice::from_raw_parts(from.cast::<u8>(), bytes)) };
        let end = at + bytes as u64;
        let more = end.saturating_sub(spilled.length);
        if !take(more) {
            return ffi::SQLITE_FULL;
        }
        spilled.length += more;
        match spilled.file.write_all_at(from, at) {
            Ok(()) => ffi::SQLITE_OK,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
            Err(_) => ffi::SQLITE_IOERR_WRITE,
        }
    })
}

unsafe extern "C" fn truncate(place: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    guarded(ffi::SQLITE_IOERR_TRUNCATE, || {
        // SAFETY: the file is open.
        let spilled = unsafe { spilled(place) };
        let Ok(length) = u64::try_from(length) else { return ffi::SQLITE_IOERR_TRUNCATE };
        if length > spilled.length || spilled.file.set_len(length).is_err() {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        give(spilled.length - length);
        spilled.length = length;
        ffi::SQLITE_OK
    })
}

/// Nothing of it has to outlive anything.
unsafe extern "C" fn sync(_place: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(place: *mut ffi::sqlite3_file, told: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: the file is open, and SQLite made room for the answer.
    unsafe { *told = i64::try_from(spilled(place).length).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

/// Nobody else has the file.
unsafe extern "C" fn lock(_place: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_place: *mut ffi::sqlite3_file, told: *mut c_int) -> c_int {
    // SAFETY: SQLite made room for the answer.
    unsafe { *told = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_place: *mut ffi::sqlite3_file, _wish: c_int, _about: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_place: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES
}

unsafe extern "C" fn device_characteristics(_place: *mut ffi::sqlite3_file) -> c_int {
    0
}

/// There is nothing to remove that has a name.
unsafe extern "C" fn delete(_layer: *mut ffi::sqlite3_vfs, _name: *const c_char, _syncs: c_int) -> c_int {
    ffi::SQLITE_IOERR_DELETE
}

/// Nothing that has a name is there.
unsafe extern "C" fn access(
    _layer: *mut ffi::sqlite3_vfs,
    _name: *const c_char,
    _flags: c_int,
    told: *mut c_int,
) -> c_int {
    // SAFETY: SQLite made room for the answer.
    unsafe { *told = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_name(
    _layer: *mut ffi::sqlite3_vfs,
    _name: *const c_char,
    _bytes: c_int,
    _to: *mut c_char,
) -> c_int {
    ffi::SQLITE_CANTOPEN
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::{Connection, OpenFlags};

    use super::*;

    fn open(dir: &Path, bytes_max: u64) -> (Allowance, Connection) {
        assert!(crate::sqlite::heap::install() && install());
        let place = Spill { dir: dir.to_owned(), free_bytes_min: 0 };
        let allowance = Allowance::start(Some(&place), bytes_max);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_in_memory_with_flags_and_vfs(flags, NAME).unwrap();
        connection.execute_batch("pragma temp_store = file; pragma cache_size = -64;").unwrap();
        (allowance, connection)
    }

    const SORTED: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)
        select count(*), count(distinct r) from (select i, (i * 7919) % 200003 as r, hex(zeroblob(20)) as w from n order by r, w)";

    #[test]
    fn what_is_sorted_goes_through_files_without_names() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("temporary");
        let (allowance, connection) = open(&dir, 1 << 30);
        let counted = connection.query_row(SORTED, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        assert_eq!(counted.unwrap(), (200_000, 200_000));
        assert!(dir.is_dir(), "something was written");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "and has no name");
        assert!(!allowance.was_exceeded());
        let left = ROOM.with_borrow(|room| room.as_ref().unwrap().left);
        assert_eq!(left, 1 << 30, "and its room was given back");
    }

    #[test]
    fn what_is_written_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let (allowance, connection) = open(home.path(), 1 << 20);
        assert!(connection.query_row(SORTED, [], |_| Ok(())).is_err());
        assert!(allowance.was_exceeded());
        // So it is by what is to stay free, and without a place.
        let place = Spill { dir: home.path().to_owned(), free_bytes_min: u64::MAX };
        let _none = Allowance::start(Some(&place), u64::MAX);
        assert!(connection.query_row(SORTED, [], |_| Ok(())).is_err());
        let _none = Allowance::start(None, u64::MAX);
        assert!(connection.query_row(SORTED, [], |_| Ok(())).is_err());
    }

    #[test]
    fn nothing_that_has_a_name_can_be_opened() {
        let home = tempfile::tempdir().unwrap();
        let (_allowance, connection) = open(home.path(), 1 << 20);
        let path = home.path().join("there.db");
        fs::write(&path, "").unwrap();
        for statement in [
            format!("attach '{}' as other", path.display()),
            format!("attach 'file:{}?mode=ro' as other", path.display()),
            format!("vacuum into '{}'", home.path().join("new.db").display()),
        ] {
            assert!(connection.execute_batch(&statement).is_err(), "{statement}");
        }
        assert!(Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), NAME).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}

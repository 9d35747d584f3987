//! A bound on the memory of each query.
//!
//! SQLite's own limit counts for a whole process, so that one query could starve the others. Here every allocation of
//! a thread that runs a query counts against that query's budget; beyond it SQLite is told that there is no memory,
//! which it handles everywhere. A query runs on one thread from opening its connection to closing it. What it groups by is
//! kept in memory up to a part of the budget before it goes to a file, where SQLite by itself would keep next to nothing.
#![expect(unsafe_code, reason = "SQLite takes its allocator as C functions; these wrap its own and add counting")]

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    sync::OnceLock,
};

use rusqlite::ffi;

thread_local! {
    /// Bytes that the query on this thread may still allocate; `None` when none runs.
    static LEFT: Cell<Option<i64>> = const { Cell::new(None) };
    /// Bytes that it may allocate altogether; nothing when none runs.
    static BUDGET: Cell<i64> = const { Cell::new(0) };
    /// Whether it was refused any.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Bytes of a page of a temporary table, as SQLite chooses them.
const PAGE_BYTES: i64 = 4_096;
/// The part of a budget that one sort, or one temporary table, may have in memory before it goes to a file; a sort takes up
/// to twice as much for a moment.
pub const SHARE: usize = 5;

/// How SQLite keeps pages by itself.
struct PlainPages(ffi::sqlite3_pcache_methods2);

// SAFETY: as for `Plain`.
unsafe impl Send for PlainPages {}
// SAFETY: as for `Plain`.
unsafe impl Sync for PlainPages {}

static PLAIN_PAGES: OnceLock<PlainPages> = OnceLock::new();

/// The functions that SQLite would use by itself.
struct Plain(ffi::sqlite3_mem_methods);

// SAFETY: the table is read only once it is here; its functions may be called from every thread, as SQLite does; the
// pointer in it is null in SQLite's own table and is never followed.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

static PLAIN: OnceLock<Plain> = OnceLock::new();
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Puts the counting allocator in place, once a process and before anything else of SQLite is used. `false` when
/// something else was first.
pub fn install() -> bool {
    *INSTALLED.get_or_init(|| {
        // SAFETY: an all-zero table is a valid value of it, and SQLite fills it in; both calls come before SQLite is
        // initialised, or SQLite answers that they are misuse and changes nothing.
        unsafe {
            let mut plain: ffi::sqlite3_mem_methods = std::mem::zeroed();
            if ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETMALLOC, &raw mut plain) != ffi::SQLITE_OK {
                return false;
            }
            let counting =
                ffi::sqlite3_mem_methods { xMalloc: Some(malloc), xFree: Some(free), xRealloc: Some(realloc), ..plain };
            let _ = PLAIN.set(Plain(plain));
            let mut pages: ffi::sqlite3_pcache_methods2 = std::mem::zeroed();
            if ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut pages) != ffi::SQLITE_OK {
                return false;
            }
            let roomy = ffi::sqlite3_pcache_methods2 { xCachesize: Some(pages_max), ..pages };
            let _ = PLAIN_PAGES.set(PlainPages(pages));
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw const roomy) == ffi::SQLITE_OK
                && ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const counting) == ffi::SQLITE_OK
        }
    })
}

/// A budget for everything SQLite allocates on this thread until it is dropped.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
}

impl Budget {
    /// Starts to count.
    pub fn start(bytes_max: usize) -> Budget {
        LEFT.set(Some(i64::try_from(bytes_max).unwrap_or(i64::MAX)));
        BUDGET.set(i64::try_from(bytes_max).unwrap_or(i64::MAX));
        REFUSED.set(false);
        Budget { bytes_max }
    }

    /// Bytes it is about.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Whether an allocation was refused.
    pub fn was_exceeded(&self) -> bool {
        REFUSED.get()
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        LEFT.set(None);
        BUDGET.set(0);
    }
}

/// Sets how many pages are kept: at least a share of the budget of the query on this thread.
unsafe extern "C" fn pages_max(pages: *mut ffi::sqlite3_pcache, count: c_int) {
    let Some(PlainPages(plain)) = PLAIN_PAGES.get() else { return };
    let Some(set) = plain.xCachesize else { return };
    let share = BUDGET.get() / SHARE as i64 / PAGE_BYTES;
    let count = count.max(c_int::try_from(share).unwrap_or(c_int::MAX));
    // SAFETY: the arguments are SQLite's own, but for a larger number.
    unsafe { set(pages, count) };
}

/// Whether so many more bytes fit.
fn fits(bytes: i64) -> bool {
    let fits = LEFT.get().is_none_or(|left| bytes <= left);
    if !fits {
        REFUSED.set(true);
    }
    fits
}

fn count(bytes: i64) {
    LEFT.set(LEFT.get().map(|left| left.saturating_sub(bytes)));
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let Some(Plain(plain)) = PLAIN.get() else { return std::ptr::null_mut() };
    let (Some(malloc), Some(size)) = (plain.xMalloc, plain.xSize) else { return std::ptr::null_mut() };
    if !fits(i64::from(bytes)) {
        return std::ptr::null_mut();
    }
    // SAFETY: the arguments are SQLite's own, handed on; the size is asked of what was just allocated.
    unsafe {
        let place = malloc(bytes);
        if !place.is_null() {
            count(i64::from(size(place)));
        }
        place
    }
}

unsafe extern "C" fn free(place: *mut c_void) {
    let Some(Plain(plain)) = PLAIN.get() else { return };
    let (Some(free), Some(size)) = (plain.xFree, plain.xSize) else { return };
    // SAFETY: SQLite frees only what it was given by `malloc` or `realloc` here.
    unsafe {
        count(-i64::from(size(place)));
        free(place);
    }
}

unsafe extern "C" fn realloc(place: *mut c_void, bytes: c_int) -> *mut c_void {
    let Some(Plain(plain)) = PLAIN.get() else { return std::ptr::null_mut() };
    let (Some(realloc), Some(size)) = (plain.xRealloc, plain.xSize) else { return std::ptr::null_mut() };
    // SAFETY: SQLite reallocates only what it was given here; on failure the old place stays as it is.
    unsafe {
        let before = i64::from(size(place));
        if !fits(i64::from(bytes) - before) {
            return std::ptr::null_mut();
        }
        let after = realloc(place, bytes);
        if !after.is_null() {
            count(i64::from(size(after)) - before);
        }
        after
    }
}

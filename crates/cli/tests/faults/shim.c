/* Loaded under the server with LD_PRELOAD: lets calls on a watched directory fail, as told by a file that may change at
 * any moment. Environment, without the prefix of Muster's settings, of which unknown ones are refused:
 *   FAULTS_ROOT  the watched directory, without links in its path
 *   FAULTS_PLAN  a file of `struct plan`, read through a mapping, so that a change counts from the next call on
 *
 * A watched path belongs to a part: what lies below journal/, history/ or state/, or anything else. For each part and
 * each kind of call the plan has an error number, 0 for none. What it does not list goes through untouched. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum part { JOURNAL, HISTORY, STATE, OTHER, PARTS };
enum call { WRITE, SYNC, READ, NAME, CALLS };

/* The same layout as `Plan` in plan.rs. */
struct plan {
    int32_t errors[PARTS][CALLS];
    int32_t short_writes; /* every write of more than one byte writes at most half of it */
    int32_t sync_micros;  /* how much longer a sync of the journal takes */
    int64_t clock_offset_seconds;
    int64_t failed; /* calls that were made to fail, counted here */
};

static struct plan *plan;
static char root[PATH_MAX];
static size_t root_length;

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("FAULTS_ROOT"), *from = getenv("FAULTS_PLAN");
    if (where == NULL || from == NULL) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, from, O_RDWR | O_CLOEXEC, 0);
    void *at = fd < 0 ? MAP_FAILED
                      : (void *)syscall(SYS_mmap, NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    if (at == MAP_FAILED || strlen(where) >= sizeof root) {
        fprintf(stderr, "faults: FAULTS_ROOT and FAULTS_PLAN must be usable\n");
        abort();
    }
    close(fd);
    strcpy(root, where);
    root_length = strlen(root);
    plan = at;
}

/* The part that a path belongs to, or PARTS when it is not watched. */
static enum part part_of(const char *path) {
    if (strncmp(path, root, root_length) != 0 || (path[root_length] != '/' && path[root_length] != 0)) return PARTS;
    const char *below = path + root_length;
    if (strncmp(below, "/journal", 8) == 0) return JOURNAL;
    if (strncmp(below, "/history", 8) == 0) return HISTORY;
    if (strncmp(below, "/state", 6) == 0) return STATE;
    return OTHER;
}

/* Whether the call is to fail; then errno is set. */
static int fails(enum part part, enum call call) {
    if (part == PARTS) return 0;
    int error = __atomic_load_n(&plan->errors[part][call], __ATOMIC_RELAXED);
    if (error == 0) return 0;
    __atomic_fetch_add(&plan->failed, 1, __ATOMIC_RELAXED);
    errno = error;
    return 1;
}

static int planned(enum call call) {
    int any = 0;
    for (int part = 0; part < PARTS; part++) any |= plan->errors[part][call];
    return any != 0;
}

static enum part part_of_descriptor(int fd) {
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return PARTS;
    path[length] = 0;
    return part_of(path);
}

static int fails_on_descriptor(int fd, enum call call) {
    return plan != NULL && planned(call) && fails(part_of_descriptor(fd), call);
}

/* The server names everything by whole paths; what it does not is left alone. */
static int fails_on_path(const char *path, enum call call) {
    return plan != NULL && path[0] == '/' && planned(call) && fails(part_of(path), call);
}

static size_t shortened(int fd, size_t count) {
    int shorter = plan != NULL && plan->short_writes && count > 1 && part_of_descriptor(fd) != PARTS;
    return shorter ? (count + 1) / 2 : count;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fails_on_descriptor(fd, WRITE)) return -1;
    return syscall(SYS_write, fd, bytes, shortened(fd, count));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (fails_on_descriptor(fd, WRITE)) return -1;
    return syscall(SYS_writev, fd, parts, (int)shortened(fd, (size_t)count));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    if (fails_on_descriptor(fd, WRITE)) return -1;
    return syscall(SYS_pwrite64, fd, bytes, shortened(fd, count), offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return pwrite(fd, bytes, count, offset); }

int ftruncate(int fd, off_t length) {
    if (fails_on_descriptor(fd, WRITE)) return -1;
    return (int)syscall(SYS_ftruncate, fd, length);
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    if (fails_on_descriptor(out, WRITE)) return -1;
    return syscall(SYS_copy_file_range, in, from, out, to, count, flags);
}

int fsync(int fd) { return fails_on_descriptor(fd, SYNC) ? -1 : (int)syscall(SYS_fsync, fd); }
/* The journal's own sync, after which a group counts. */
int fdatasync(int fd) {
    if (plan != NULL && plan->sync_micros > 0 && part_of_descriptor(fd) == JOURNAL) usleep((useconds_t)plan->sync_micros);
    return fails_on_descriptor(fd, SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

ssize_t read(int fd, void *bytes, size_t count) {
    return fails_on_descriptor(fd, READ) ? -1 : syscall(SYS_read, fd, bytes, count);
}
ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
    return fails_on_descriptor(fd, READ) ? -1 : syscall(SYS_pread64, fd, bytes, count, offset);
}
ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) { return pread(fd, bytes, count, offset); }

static int open_file(int at, const char *path, int flags, mode_t mode) {
    int changes = (flags & O_CREAT) || (flags & O_TRUNC) || (flags & O_ACCMODE) != O_RDONLY;
    if (changes && fails_on_path(path, NAME)) return -1;
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE_AFTER(last)                                         \
    mode_t mode = 0;                                             \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list arguments;                                       \
        va_start(arguments, last);                               \
        mode = va_arg(arguments, mode_t);                        \
        va_end(arguments);                                       \
    }

int open(const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(at, path, flags, mode); }

int rename(const char *from, const char *to) {
    return fails_on_path(to, NAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int mkdir(const char *path, mode_t mode) {
    return fails_on_path(path, NAME) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int unlink(const char *path) {
    return fails_on_path(path, NAME) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* The wall clock; clocks that only measure are left alone, as a real one that is set leaves them alone. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && plan != NULL && clock == CLOCK_REALTIME) now->tv_sec += plan->clock_offset_seconds;
    return result;
}

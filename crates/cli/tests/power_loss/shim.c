/* Loaded under the server with LD_PRELOAD: makes the disk forget what was never synced.
 *
 * Writes go through, so that the process reads what it wrote; what a power failure would leave is kept in the mirror
 * (disk.h). Environment, without the prefix of Muster's settings, of which unknown ones are refused:
 *   POWER_LOSS_ROOT    the watched directory, without links in its path
 *   POWER_LOSS_MIRROR  the mirror, on the same file system, prepared by the test
 *   POWER_LOSS_NAMES   "strict" (default): a name is durable after fsync of its directory and not before
 *                       "with-file": fsync of a file makes the names on the way to it durable too
 *
 * A sync that this file does not see counts as never done, and a write it does not see is never copied: both make the
 * test fail, neither lets it pass. sync_file_range promises nothing about a power failure, so it changes nothing here.
 * What the model cannot follow ends the process loudly: shared writable mappings, O_DIRECT, O_SYNC, sync, syncfs. */
#define _GNU_SOURCE
#include "disk.h"

#include <sys/mman.h>
#include <sys/uio.h>

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("POWER_LOSS_ROOT"), *into = getenv("POWER_LOSS_MIRROR");
    const char *names = getenv("POWER_LOSS_NAMES");
    if (where == NULL || into == NULL) return;
    struct stat about;
    if (realpath(where, root) == NULL || realpath(into, mirror) == NULL || stat(root, &about) != 0)
        die("%s and %s must exist", where, into);
    device = about.st_dev;
    names_with_file = names != NULL && strcmp(names, "with-file") == 0;
    active = 1;
}

/* Starts watching the file behind a descriptor that was just opened. */
static int adopt(int fd, int flags) {
    if (!active || fd < 0) return fd;
    int before = errno;
    char path[PATH_MAX];
    struct stat about;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_dev == device && watched_path(fd, path)) {
        if ((flags & O_ACCMODE) != O_RDONLY && (flags & (O_DIRECT | O_DSYNC)))
            die("%s was opened with O_DIRECT or O_SYNC, which is not modelled", path);
        find(about.st_ino, 1);
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        hold(link, about.st_ino);
        if (flags & O_TRUNC) touch(fd, 0, END);
    }
    errno = before;
    return fd;
}

static int open_file(int directory, const char *path, int flags, mode_t mode) {
    if (active && (flags & O_CREAT)) pthread_rwlock_rdlock(&names_lock);
    int fd = adopt((int)syscall(SYS_openat, directory, path, flags, mode), flags);
    if (active && (flags & O_CREAT)) pthread_rwlock_unlock(&names_lock);
    return fd;
}

/* The optional fourth argument of the open family. */
#define MODE_AFTER(last)                                    \
    mode_t mode = 0;                                        \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list arguments;                                  \
        va_start(arguments, last);                          \
        mode = va_arg(arguments, mode_t);                   \
        va_end(arguments);                                  \
    }

int open(const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_AFTER(flags) return open_file(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writing at the descriptor's own offset: where it ended up tells where the bytes went, with O_APPEND too. */
static void note_behind_offset(struct file *file, int fd, ssize_t written) {
    int before = errno;
    int64_t end = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    if (written > 0) note(file, end - written, end);
    errno = before;
}

#define AT_OWN_OFFSET(call)                        \
    struct file *file = watched(fd);               \
    if (file == NULL) return call;                 \
    pthread_mutex_lock(&file->lock);               \
    ssize_t written = call;                        \
    note_behind_offset(file, fd, written);         \
    pthread_mutex_unlock(&file->lock);             \
    return written;

ssize_t write(int fd, const void *bytes, size_t count) { AT_OWN_OFFSET(syscall(SYS_write, fd, bytes, count)) }
ssize_t writev(int fd, const struct iovec *parts, int count) { AT_OWN_OFFSET(syscall(SYS_writev, fd, parts, count)) }

/* Writing at a given offset; with O_APPEND the system ignores it, so then the whole file counts as written. */
static ssize_t wrote_at(int fd, int64_t offset, ssize_t written) {
    if (written > 0 && watched(fd) != NULL) {
        int before = errno;
        if (fcntl(fd, F_GETFL) & O_APPEND) touch(fd, 0, END);
        else touch(fd, offset, offset + written);
        errno = before;
    }
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return wrote_at(fd, offset, syscall(SYS_pwrite64, fd, bytes, count, offset));
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) { return pwrite(fd, bytes, count, offset); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return wrote_at(fd, offset, syscall(SYS_pwritev, fd, parts, count, offset, 0L));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return pwritev(fd, parts, count, offset);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    if (flags != 0 && watched(fd) != NULL) die("pwritev2 with flags is not modelled");
    if (offset == -1 && flags == 0) return writev(fd, parts, count);
    return wrote_at(fd, offset, syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags));
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) {
    return pwritev2(fd, parts, count, offset, flags);
}

/* Calls that fill a file from elsewhere: where exactly is of no interest, all of it counts as written. */
static ssize_t filled(int fd, ssize_t result) {
    if (result > 0) touch(fd, 0, END);
    return result;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count) {
    return filled(out, syscall(SYS_sendfile, out, in, offset, count));
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) { return sendfile(out, in, offset, count); }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    return filled(out, syscall(SYS_copy_file_range, in, from, out, to, count, flags));
}
ssize_t splice(int in, off64_t *from, int out, off64_t *to, size_t count, unsigned flags) {
    return filled(out, syscall(SYS_splice, in, from, out, to, count, flags));
}

/* Cutting a file and growing it again leaves zeros where the image still has the old bytes: all of it is written. */
static int resized(int fd, int result) {
    if (result == 0) touch(fd, 0, END);
    return result;
}

int ftruncate(int fd, off_t length) {
    struct file *file = watched(fd);
    if (file == NULL) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&file->lock);
    struct stat about;
    int result = fstat(fd, &about) == 0 ? (int)syscall(SYS_ftruncate, fd, length) : -1;
    if (result == 0) note(file, length < about.st_size ? length : about.st_size, END);
    pthread_mutex_unlock(&file->lock);
    return result;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int truncate(const char *path, off_t length) {
    int fd = open_file(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = ftruncate(fd, length);
    int before = errno;
    close(fd);
    errno = before;
    return result;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return resized(fd, (int)syscall(SYS_fallocate, fd, mode, offset, length));
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) {
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* The promise itself. The real sync is left out: the mirror only has to outlive the process, not the machine. */
static int make_durable(int fd, long plain_call) {
    struct stat about;
    if (!active || fstat(fd, &about) != 0 || about.st_dev != device) return (int)syscall(plain_call, fd);
    if (S_ISDIR(about.st_mode)) {
        char path[PATH_MAX];
        if (!watched_path(fd, path)) return (int)syscall(plain_call, fd);
        snapshot(path);
        return 0;
    }
    struct file *file = watched(fd);
    if (file == NULL) return (int)syscall(plain_call, fd);
    settle(file);
    if (names_with_file) snapshot_above(fd);
    return 0;
}

int fsync(int fd) { return make_durable(fd, SYS_fsync); }
int fdatasync(int fd) { return make_durable(fd, SYS_fdatasync); }

int syncfs(int fd) {
    if (active) die("syncfs is not modelled");
    return (int)syscall(SYS_syncfs, fd);
}
void sync(void) {
    if (active) die("sync is not modelled");
    syscall(SYS_sync);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE && watched(fd) != NULL)
        die("a shared writable mapping of a watched file is not modelled");
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(at, length, protection, flags, fd, offset);
}

/* Names: the live tree changes at once, the durable one when a directory is synced. The lock keeps a directory that is
 * being read from changing under the reader, which could otherwise miss a file that never ceased to have a name. */
#define CHANGES_NAMES(call)                                 \
    if (active) pthread_rwlock_rdlock(&names_lock);         \
    int result = (int)(call);                               \
    if (active) pthread_rwlock_unlock(&names_lock);         \
    return result;

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    CHANGES_NAMES(syscall(SYS_renameat2, from_at, from, to_at, to, flags))
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    return (int)syscall(SYS_linkat, from_at, from, to_at, to, flags); /* disk.h links while it reads a directory */
}
int link(const char *from, const char *to) { CHANGES_NAMES(linkat(AT_FDCWD, from, AT_FDCWD, to, 0)) }
int mkdirat(int at, const char *path, mode_t mode) { CHANGES_NAMES(syscall(SYS_mkdirat, at, path, mode)) }
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int is_empty(int at, const char *path) {
    int fd = (int)syscall(SYS_openat, at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) return 0;
    int others = 0;
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL)
        others += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return others == 0;
}

/* An empty watched directory is moved away instead of removed, so that its number is not given to a new one. */
static int remove_directory(int at, const char *path) {
    char full[PATH_MAX], grave[PATH_MAX];
    struct stat about;
    int fd = (int)syscall(SYS_openat, at, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    int here = fd >= 0 && fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) && watched_path(fd, full);
    if (fd >= 0) close(fd);
    if (!here || !is_empty(at, path)) return (int)syscall(SYS_unlinkat, at, path, AT_REMOVEDIR);
    path_in_mirror(grave, "graveyard/%lu", (unsigned long)about.st_ino);
    return (int)syscall(SYS_renameat2, at, path, AT_FDCWD, grave, 0);
}

int unlinkat(int at, const char *path, int flags) {
    if (active && (flags & AT_REMOVEDIR)) { CHANGES_NAMES(remove_directory(at, path)) }
    CHANGES_NAMES(syscall(SYS_unlinkat, at, path, flags))
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

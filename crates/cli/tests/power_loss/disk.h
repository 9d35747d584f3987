/* The model of a disk that forgets: what would be left of the watched directory if the power failed now.
 *
 * Names and contents are kept apart, as a file system may keep them apart. Everything lives in a mirror directory on
 * the same file system, so that the end of the process, however sudden, changes nothing about it:
 *
 *   mirror/inodes/<ino>     a file's content as of its last fsync or fdatasync; absent: never synced, so empty
 *   mirror/dirs/<ino>       a directory's entries as of its last fsync, one "f|d <ino> <name>" a line
 *   mirror/held/<ino>       a hard link to the live file, so that the number is not given to another file meanwhile
 *   mirror/graveyard/<ino>  removed directories, for the same reason
 *
 * In this process's memory is only which ranges of a file were written since its last sync. A file that is met for the
 * first time counts as written from end to end: what an earlier process left unsynced stays unsynced.
 *
 * This file never intercepts anything; shim.c does. */
#ifndef MUSTER_DISK_H
#define MUSTER_DISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RANGES_MAX 64
#define BUCKETS 4096
#define END INT64_MAX

struct range { int64_t start, end; };

struct file {
    ino_t ino;
    struct file *next;
    pthread_mutex_t lock;
    int ranges;
    struct range dirty[RANGES_MAX];
};

static int active;
static int names_with_file; /* fsync of a file makes its own name durable too, as ext4 and XFS do in practice */
static char root[PATH_MAX], mirror[PATH_MAX];
static dev_t device;
static struct file *buckets[BUCKETS];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;
/* Held for reading while a name changes, for writing while a directory is read. */
static pthread_rwlock_t names_lock = PTHREAD_RWLOCK_INITIALIZER;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...) {
    char text[2 * PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 2) length = sizeof text - 2;
    text[length++] = '\n';
    syscall(SYS_write, 2, "power-loss shim: ", 17);
    syscall(SYS_write, 2, text, length);
    abort();
}

__attribute__((format(printf, 2, 3))) static void path_in_mirror(char *out, const char *format, ...) {
    int length = snprintf(out, PATH_MAX, "%s/", mirror);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + length, PATH_MAX - length, format, arguments);
    va_end(arguments);
}

/* The path that `fd` was opened by; 0 when it is not (or no longer) at or below the watched directory. */
static int watched_path(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length <= 0) return 0;
    out[length] = 0;
    size_t stem = strlen(root);
    if (strncmp(out, root, stem) != 0 || (out[stem] != '/' && out[stem] != 0)) return 0;
    return strstr(out, " (deleted)") == NULL;
}

static struct file *find(ino_t ino, int create) {
    struct file **bucket = &buckets[ino % BUCKETS];
    pthread_mutex_lock(&files_lock);
    struct file *file = *bucket;
    while (file != NULL && file->ino != ino) file = file->next;
    if (file == NULL && create) {
        file = calloc(1, sizeof *file);
        if (file == NULL) die("out of memory");
        file->ino = ino;
        pthread_mutex_init(&file->lock, NULL);
        file->ranges = 1;
        file->dirty[0] = (struct range){0, END};
        file->next = *bucket;
        *bucket = file;
    }
    pthread_mutex_unlock(&files_lock);
    return file;
}

/* The watched file behind `fd`, or NULL. Keeps errno. */
static struct file *watched(int fd) {
    if (!active) return NULL;
    int before = errno;
    struct stat about;
    struct file *file = NULL;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_dev == device) file = find(about.st_ino, 0);
    errno = before;
    return file;
}

/* Notes that [start, end) was written; the caller holds the file's lock. */
static void note(struct file *file, int64_t start, int64_t end) {
    if (start >= end) return;
    for (int at = file->ranges - 1; at >= 0; at--) {
        struct range *range = &file->dirty[at];
        if (start > range->end || end < range->start) continue;
        if (start < range->start) range->start = start;
        if (end > range->end) range->end = end;
        return;
    }
    if (file->ranges < RANGES_MAX) {
        file->dirty[file->ranges++] = (struct range){start, end};
        return;
    }
    /* More places than the table holds: one range over all of them; a sync then copies more than it had to. */
    for (int at = 0; at < RANGES_MAX; at++) {
        if (file->dirty[at].start < start) start = file->dirty[at].start;
        if (file->dirty[at].end > end) end = file->dirty[at].end;
    }
    file->ranges = 1;
    file->dirty[0] = (struct range){start, end};
}

static void touch(int fd, int64_t start, int64_t end) {
    struct file *file = watched(fd);
    if (file == NULL) return;
    pthread_mutex_lock(&file->lock);
    note(file, start, end);
    pthread_mutex_unlock(&file->lock);
}

/* Keeps an inode number from being used again while this disk is in use. */
static void hold(const char *path, ino_t ino) {
    char held[PATH_MAX];
    path_in_mirror(held, "held/%lu", (unsigned long)ino);
    if (linkat(AT_FDCWD, path, AT_FDCWD, held, AT_SYMLINK_FOLLOW) != 0 && errno != EEXIST && errno != ENOENT)
        die("cannot hold %s: %s", path, strerror(errno));
}

static void copy_data(int from, int to, int64_t start, int64_t end) {
    char buffer[65536];
    while (start < end) {
        size_t want = end - start < (int64_t)sizeof buffer ? (size_t)(end - start) : sizeof buffer;
        ssize_t got = syscall(SYS_pread64, from, buffer, want, start);
        if (got < 0) die("cannot read a held file: %s", strerror(errno));
        if (got == 0) return; /* cut shorter meanwhile */
        if (syscall(SYS_pwrite64, to, buffer, (size_t)got, start) != got)
            die("cannot write a durable image: %s", strerror(errno));
        start += got;
    }
}

/* Makes [start, end) of the image what the live file has there, holes included. */
static void copy_range(int from, int to, int64_t start, int64_t end) {
    while (start < end) {
        int64_t data = syscall(SYS_lseek, from, start, SEEK_DATA);
        if (data < 0 || data > end) data = end;
        int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        if (data > start && syscall(SYS_fallocate, to, punch, start, data - start) != 0)
            die("cannot punch a hole in a durable image: %s", strerror(errno));
        if (data >= end) return;
        int64_t hole = syscall(SYS_lseek, from, data, SEEK_HOLE);
        if (hole < 0 || hole > end) hole = end;
        copy_data(from, to, data, hole);
        start = hole;
    }
}

/* What fsync and fdatasync promise: the file's content and length, now, on the disk. */
static void settle(struct file *file) {
    char path[PATH_MAX];
    path_in_mirror(path, "held/%lu", (unsigned long)file->ino);
    int from = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (from < 0) {
        if (errno == ENOENT) return; /* it never had a name, so nothing of it can be durable */
        die("cannot open %s: %s", path, strerror(errno));
    }
    path_in_mirror(path, "inodes/%lu", (unsigned long)file->ino);
    int to = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (to < 0) die("cannot open %s: %s", path, strerror(errno));
    pthread_mutex_lock(&file->lock);
    struct stat about;
    if (fstat(from, &about) != 0) die("cannot stat a held file: %s", strerror(errno));
    for (int at = 0; at < file->ranges; at++) {
        int64_t end = file->dirty[at].end < about.st_size ? file->dirty[at].end : about.st_size;
        copy_range(from, to, file->dirty[at].start, end);
    }
    if (syscall(SYS_ftruncate, to, about.st_size) != 0) die("cannot cut a durable image: %s", strerror(errno));
    file->ranges = 0;
    pthread_mutex_unlock(&file->lock);
    close(from);
    close(to);
}

static void write_entry(FILE *out, const char *directory, int directory_fd, const char *name) {
    struct stat about;
    if (fstatat(directory_fd, name, &about, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return;
        die("cannot stat %s/%s: %s", directory, name, strerror(errno));
    }
    if (strchr(name, '\n') != NULL || S_ISLNK(about.st_mode))
        die("%s/%s: links and names with line breaks are not modelled", directory, name);
    if (S_ISREG(about.st_mode)) {
        char path[PATH_MAX + NAME_MAX + 2];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        hold(path, about.st_ino);
        fprintf(out, "f %lu %s\n", (unsigned long)about.st_ino, name);
    } else if (S_ISDIR(about.st_mode)) {
        fprintf(out, "d %lu %s\n", (unsigned long)about.st_ino, name);
    }
}

/* What fsync of a directory promises: its entries, now, on the disk. Their contents are another matter. */
static void snapshot(const char *directory) {
    char next[PATH_MAX], final[PATH_MAX];
    pthread_rwlock_wrlock(&names_lock);
    struct stat about;
    DIR *entries = opendir(directory);
    if (entries == NULL || fstat(dirfd(entries), &about) != 0)
        die("cannot read directory %s: %s", directory, strerror(errno));
    path_in_mirror(final, "dirs/%lu", (unsigned long)about.st_ino);
    path_in_mirror(next, "dirs/%lu.next", (unsigned long)about.st_ino);
    FILE *out = fopen(next, "we");
    if (out == NULL) die("cannot write %s: %s", next, strerror(errno));
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            write_entry(out, directory, dirfd(entries), entry->d_name);
    if (fclose(out) != 0) die("cannot write %s: %s", next, strerror(errno));
    if (syscall(SYS_renameat2, AT_FDCWD, next, AT_FDCWD, final, 0) != 0)
        die("cannot rename %s: %s", next, strerror(errno));
    closedir(entries);
    pthread_rwlock_unlock(&names_lock);
}

/* The directories from the file's own up to the watched one. */
static void snapshot_above(int fd) {
    char path[PATH_MAX];
    if (!watched_path(fd, path)) return;
    for (;;) {
        char *slash = strrchr(path, '/');
        if (slash == NULL || slash < path + strlen(root)) return;
        *slash = 0;
        snapshot(path);
    }
}

#endif

/*
 * Records what a process does to the files below one directory, in the order it does it, so that
 * a power cut can be played back at any point. Preloaded into the process; compiled by the test.
 *
 * Owns: the file named by CUT_LOG. Watches: everything below CUT_DIR. A write to the file named
 * by CUT_MARKS is recorded as a mark and not written. With CUT_ROOM the disk is full after so many
 * bytes; with CUT_FULL it is full while the file of that name exists. Beside this it must never change what a call does or returns.
 *
 * One record: op (1 byte), fd (4), number (8), length of the first text (4), of the second (4),
 * the texts. All integers as the machine has them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { OPEN = 'o', WRITE = 'w', TRUNCATE = 't', RENAME = 'r', UNLINK = 'u', MKDIR = 'd',
       RMDIR = 'x', SYNC = 's', RANGE = 'g', MARK = 'm' };
enum { IGNORED, WATCHED, MARKS, FDS = 4096 };

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static const char *dir, *marks, *full;
static int out = -1;
static long long room = -1;
static unsigned char watched[FDS];
static ssize_t (*real_write)(int, const void *, size_t);

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int below(const char *path) {
    size_t n = dir ? strlen(dir) : 0;
    return n && strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static void all(const void *data, size_t n) {
    const char *at = data;
    while (n) {
        ssize_t done = real_write(out, at, n);
        if (done <= 0) abort();
        at += done;
        n -= (size_t)done;
    }
}

static void record(char op, int fd, uint64_t number, const void *a, size_t na, const void *b,
                   size_t nb) {
    char head[21];
    uint32_t length_a = (uint32_t)na, length_b = (uint32_t)nb;
    int32_t fd32 = fd;
    head[0] = op;
    memcpy(head + 1, &fd32, 4);
    memcpy(head + 5, &number, 8);
    memcpy(head + 13, &length_a, 4);
    memcpy(head + 17, &length_b, 4);
    all(head, sizeof head);
    if (na) all(a, na);
    if (nb) all(b, nb);
}

__attribute__((constructor)) static void begin(void) {
    real_write = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    marks = getenv("CUT_MARKS");
    const char *log = getenv("CUT_LOG");
    if (log) {
        out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0) abort();
    }
    const char *bytes = getenv("CUT_ROOM");
    if (bytes) room = atoll(bytes);
    dir = getenv("CUT_DIR");
    full = getenv("CUT_FULL");
}

/* Takes n bytes of the room there is; called in order. */
static int fits(size_t n) {
    if (full && access(full, F_OK) == 0) {
        errno = ENOSPC;
        return 0;
    }
    if (room < 0) return 1;
    if ((unsigned long long)room < n) {
        errno = ENOSPC;
        return 0;
    }
    room -= (long long)n;
    return 1;
}

static int kind(int fd) { return out >= 0 && fd >= 0 && fd < FDS ? watched[fd] : IGNORED; }

static void opened(int fd, int flags) {
    char link[64], path[PATH_MAX];
    if (fd < 0 || fd >= FDS || out < 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) n = 0;
    path[n] = 0;
    watched[fd] = IGNORED;
    if (marks && strcmp(path, marks) == 0) watched[fd] = MARKS;
    if (!below(path)) return;
    watched[fd] = WATCHED;
    record(OPEN, fd, (uint64_t)(flags & O_TRUNC ? 1 : 0), path, (size_t)n, 0, 0);
}

#define OPENER(name, parameters, call) \
    int name parameters { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = (mode_t)va_arg(rest, int); \
            va_end(rest); \
        } \
        pthread_mutex_lock(&order); \
        int fd = real call; \
        opened(fd, flags); \
        pthread_mutex_unlock(&order); \
        return fd; \
    }

OPENER(open, (const char *path, int flags, ...), (path, flags, mode))
OPENER(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENER(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPENER(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

int close(int fd) {
    REAL(close);
    pthread_mutex_lock(&order);
    if (fd >= 0 && fd < FDS) watched[fd] = IGNORED;
    int result = real(fd);
    pthread_mutex_unlock(&order);
    return result;
}

ssize_t write(int fd, const void *data, size_t n) {
    if (kind(fd) == IGNORED) return real_write(fd, data, n);
    pthread_mutex_lock(&order);
    ssize_t result = (ssize_t)n;
    if (kind(fd) == MARKS) {
        record(MARK, fd, 0, data, n, 0, 0);
    } else {
        off_t at = lseek(fd, 0, SEEK_CUR);
        result = fits(n) ? real_write(fd, data, n) : -1;
        if (result > 0 && at >= 0) record(WRITE, fd, (uint64_t)at, data, (size_t)result, 0, 0);
    }
    pthread_mutex_unlock(&order);
    return result;
}

#define POSITIONED(name, offset) \
    ssize_t name(int fd, const void *data, size_t n, offset at) { \
        REAL(name); \
        if (kind(fd) == IGNORED) return real(fd, data, n, at); \
        pthread_mutex_lock(&order); \
        ssize_t result = fits(n) ? real(fd, data, n, at) : -1; \
        if (result > 0) record(WRITE, fd, (uint64_t)at, data, (size_t)result, 0, 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

#define ON_FILE(name, parameters, call, op, number) \
    int name parameters { \
        REAL(name); \
        if (kind(fd) == IGNORED) return real call; \
        pthread_mutex_lock(&order); \
        int result = real call; \
        if (result == 0) record(op, fd, (uint64_t)(number), 0, 0, 0, 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

ON_FILE(ftruncate, (int fd, off_t length), (fd, length), TRUNCATE, length)
ON_FILE(ftruncate64, (int fd, off64_t length), (fd, length), TRUNCATE, length)
ON_FILE(fsync, (int fd), (fd), SYNC, 0)
ON_FILE(fdatasync, (int fd), (fd), SYNC, 1)
ON_FILE(sync_file_range, (int fd, off64_t at, off64_t n, unsigned int flags), (fd, at, n, flags),
        RANGE, at)

#define ON_PATH(name, parameters, call, op) \
    int name parameters { \
        REAL(name); \
        pthread_mutex_lock(&order); \
        int result = real call; \
        if (result == 0 && out >= 0 && below(path)) record(op, -1, 0, path, strlen(path), 0, 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

ON_PATH(unlink, (const char *path), (path), UNLINK)
ON_PATH(rmdir, (const char *path), (path), RMDIR)
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), MKDIR)

int rename(const char *from, const char *to) {
    REAL(rename);
    pthread_mutex_lock(&order);
    int result = real(from, to);
    if (result == 0 && out >= 0 && below(from))
        record(RENAME, -1, 0, from, strlen(from), to, strlen(to));
    pthread_mutex_unlock(&order);
    return result;
}

int unlinkat(int at, const char *name, int flags) {
    REAL(unlinkat);
    char link[64], path[PATH_MAX * 2];
    ssize_t n = 0;
    pthread_mutex_lock(&order);
    if (name[0] != '/' && at >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        n = readlink(link, path, PATH_MAX);
        if (n < 0) n = 0;
        path[n++] = '/';
    }
    snprintf(path + n, PATH_MAX, "%s", name);
    int result = real(at, name, flags);
    if (result == 0 && out >= 0 && below(path))
        record(flags & AT_REMOVEDIR ? RMDIR : UNLINK, -1, 0, path, strlen(path), 0, 0);
    pthread_mutex_unlock(&order);
    return result;
}

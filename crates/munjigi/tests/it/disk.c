/* A disk that is full, or that fails, for one program and one directory: loaded before libc, by
 * LD_PRELOAD. Where the directory $DISK_SWITCHES has a file `full`, every write below $DISK takes
 * half of what it is given, down to the last byte, and then there is no space (ENOSPC), as at the
 * end of a real disk; where it has a file `failing`, every flush fails (EIO). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *fault, int fd) {
    const char *disk = getenv("DISK"), *switches = getenv("DISK_SWITCHES");
    char path[4096], file[4096];
    int before = errno;
    if (!disk || !switches) return 0;
    snprintf(path, sizeof path, "%s/%s", switches, fault);
    int on = access(path, F_OK) == 0;
    if (on) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, file, sizeof file);
        on = length > (ssize_t)strlen(disk) && strncmp(file, disk, strlen(disk)) == 0;
    }
    errno = before;
    return on;
}

static void *libc(const char *name) { return dlsym(RTLD_NEXT, name); }

/* How much of it still has a place; 0 if nothing has. */
static size_t room(int fd, size_t count) { return is("full", fd) ? count / 2 : count; }

static ssize_t no_space(void) { errno = ENOSPC; return -1; }

ssize_t write(int fd, const void *from, size_t count) {
    size_t fits = room(fd, count);
    if (!fits && count) return no_space();
    return ((ssize_t (*)(int, const void *, size_t))libc("write"))(fd, from, fits);
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
    size_t fits = room(fd, count);
    if (!fits && count) return no_space();
    return ((ssize_t (*)(int, const void *, size_t, off_t))libc("pwrite"))(fd, from, fits, at);
}

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t at) {
    size_t fits = room(fd, count);
    if (!fits && count) return no_space();
    return ((ssize_t (*)(int, const void *, size_t, off64_t))libc("pwrite64"))(fd, from, fits, at);
}

int fsync(int fd) {
    if (is("failing", fd)) return errno = EIO, -1;
    return ((int (*)(int))libc("fsync"))(fd);
}

int fdatasync(int fd) {
    if (is("failing", fd)) return errno = EIO, -1;
    return ((int (*)(int))libc("fdatasync"))(fd);
}

/*
 * Paths below the container's root, by descriptor: the image and its volumes decide what lies there, so every lookup is
 * confined by the kernel (openat2 RESOLVE_IN_ROOT), and what is missing is made relative to an opened parent.
 */
#include "shim.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

int x_openat2(int dir, const char *path, int flags, int mode, uint64_t resolve) {
  struct x_open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .mode = (uint64_t)mode, .resolve = resolve};
  int fd;
  do fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
  while (fd < 0 && errno == EAGAIN); /* a rename raced with the lookup */
  return fd;
}

int open_in_root(int root, const char *path, int flags) {
  return x_openat2(root, path, flags, 0, X_RESOLVE_IN_ROOT | X_RESOLVE_NO_MAGICLINKS);
}

/* Makes the last component of `path` in its (existing) parent. Losing a race to somebody who makes it too is fine. */
static int make_last(int root, const char *path, int is_directory) {
  const char *slash = strrchr(path, '/');
  char parent[PATH_MAX];
  size_t length = (size_t)(slash - path);
  memcpy(parent, path, length);
  strcpy(parent + length, length ? "" : "/");
  int dir = open_in_root(root, parent, O_PATH | O_DIRECTORY);
  if (dir < 0) return -1;
  int made = is_directory ? mkdirat(dir, slash + 1, 0755) : mknodat(dir, slash + 1, S_IFREG | 0644, 0);
  int error = errno;
  close(dir);
  errno = error;
  return made && error != EEXIST ? -1 : 0;
}

/* Makes `path` if it is missing. A dangling symbolic link is not followed: it stays ENOENT for the caller. */
static int ensure(int root, const char *path, int is_directory) {
  int fd = open_in_root(root, path, O_PATH);
  if (fd < 0 && errno == ENOENT) return make_last(root, path, is_directory);
  if (fd >= 0) close(fd);
  return fd < 0 ? -1 : 0;
}

int make_in_root(int root, const char *path, int is_directory) {
  int fd = open_in_root(root, path, O_PATH);
  if (fd >= 0 || errno != ENOENT) return fd;
  char prefix[PATH_MAX];
  size_t length = strlen(path);
  if (path[0] != '/' || length >= sizeof prefix || path[length - 1] == '/') return errno = EINVAL, -1;
  for (size_t i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(prefix, path, i);
    prefix[i] = 0;
    if (ensure(root, prefix, i < length || is_directory)) return -1;
  }
  return open_in_root(root, path, O_PATH);
}

/*
 * What a container must not read (masked) or write (read-only) in /proc and /sys: the list of Kubernetes
 * (pkg/securitycontext). Runs inside the new root. A path that this kernel does not have is skipped.
 */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char *const masked[] = {
    "/proc/asound",    "/proc/acpi",       "/proc/interrupts",  "/proc/kcore",       "/proc/keys",
    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
    "/sys/firmware",   "/sys/devices/virtual/powercap",
};
static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

static int open_plain(const char *path) {
  int fd = x_openat2(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0, X_RESOLVE_NO_SYMLINKS);
  if (fd < 0 && errno != ENOENT) fail("mask", path);
  return fd;
}

/* Our own /dev/null, verified: a swapped one would unmask (CVE-2025-31133). */
static int open_null(void) {
  struct stat st;
  int fd = x_openat2(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW, 0, X_RESOLVE_NO_SYMLINKS);
  if (fd < 0 || fstat(fd, &st)) fail("mask", "/dev/null");
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) fail_with("mask", ENODEV, "/dev/null");
  return fd;
}

static int clone_of(int fd, const char *path) {
  int tree = x_open_tree(fd, "", X_OPEN_TREE_CLONE | X_AT_EMPTY_PATH | O_CLOEXEC);
  if (tree < 0) fail("mask", path);
  return tree;
}

static int empty_directory(void) {
  static const char *const options[] = {"size", "0", "mode", "755", NULL};
  return filesystem_mount("tmpfs", options, X_MOUNT_ATTR_RDONLY | X_MOUNT_ATTR_NOSUID | X_MOUNT_ATTR_NODEV | X_MOUNT_ATTR_NOEXEC);
}

static void mask_file(const char *path, int at, int null) {
  int cover = clone_of(null, path);
  if (x_move_mount(cover, at)) fail("mask", path);
  close(cover);
}

/* Before Linux 6.15 only what is attached can be cloned (EINVAL): the first directory takes the original. */
static void mask_directory(const char *path, int at, int empty) {
  static int attached;
  int cover = attached ? clone_of(empty, path) : empty;
  if (x_move_mount(cover, at)) fail("mask", path);
  if (attached) close(cover);
  attached = 1;
}

static void mask_one(const char *path, int null, int empty) {
  struct stat st;
  int at = open_plain(path);
  if (at < 0) return;
  if (fstat(at, &st)) fail("mask", path);
  if (S_ISDIR(st.st_mode)) mask_directory(path, at, empty);
  else mask_file(path, at, null);
  close(at);
}

static void make_read_only(const char *path) {
  int at = open_plain(path);
  if (at < 0) return;
  int tree = clone_of(at, path);
  struct x_mount_attr attr = {.attr_set = X_MOUNT_ATTR_RDONLY};
  if (x_mount_setattr(tree, 0, &attr) || x_move_mount(tree, at)) fail("readonly", path);
  close(tree);
  close(at);
}

/* /sys/devices/system/cpu/cpu*\/thermal_throttle tells of neighbours' load. */
static void mask_thermal(int null, int empty) {
  char path[96];
  for (int cpu = 0; cpu < 4096; cpu++) {
    int length = snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d", cpu);
    if (access(path, F_OK)) return;
    snprintf(path + length, sizeof path - (size_t)length, "/thermal_throttle");
    mask_one(path, null, empty);
  }
}

void mask_apply(void) {
  int null = open_null(), empty = empty_directory();
  for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) mask_one(masked[i], null, empty);
  mask_thermal(null, empty);
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) make_read_only(read_only[i]);
  close(null);
  close(empty);
}

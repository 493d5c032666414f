/*
 * The container's root: overlayfs of the image's layers with a writable layer in the attempt's directory. Layers are
 * named by descriptors (/proc/self/fd/N): short enough for 128 of them in one page of options, and the container's mount
 * table shows nothing of the node. `volatile` because the writable layer dies with the attempt: without it every ended
 * container would sync the node's whole file system.
 */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define OPTION_SPACE 40

static int layer_fds[MAX_LAYERS];

static int open_directory(const char *path) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("rootfs", path);
  return fd;
}

/* A layer as the pod's users are to see it. */
static int open_layer(const char *path) {
  if (!config.id_base) return open_directory(path);
  int tree = x_open_tree(AT_FDCWD, path, X_OPEN_TREE_CLONE | O_CLOEXEC);
  if (tree < 0) fail("rootfs", path);
  userns_map(tree, path);
  return tree;
}

static int open_part(const char *name) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", config.directory, name);
  return open_directory(path);
}

/* Not O_PATH: things are made in it. */
static int open_upper(void) {
  int path = open_part("upper"), fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("rootfs", "upper");
  close(path);
  return fd;
}

static int set(int fs, const char *key, int directory) {
  char value[OPTION_SPACE];
  snprintf(value, sizeof value, "/proc/self/fd/%d", directory);
  return x_fsconfig(fs, X_FSCONFIG_SET_STRING, key, value);
}

/* Linux 6.5 and later. Returns a detached mount, or -1 with EINVAL on older kernels (6.1 says so only at CREATE). */
static int overlay_by_fsopen(int upper, int work) {
  int fs = x_fsopen("overlay");
  if (fs < 0) fail("fsopen(overlay)", NULL);
  int failed = 0;
  for (int i = config.layer_count - 1; i >= 0 && !failed; i--) failed = set(fs, "lowerdir+", layer_fds[i]);
  failed = failed || set(fs, "upperdir", upper) || set(fs, "workdir", work) ||
           x_fsconfig(fs, X_FSCONFIG_SET_FLAG, "volatile", NULL) || x_fsconfig(fs, X_FSCONFIG_CMD_CREATE, NULL, NULL);
  int mount = failed ? -1 : x_fsmount(fs, 0);
  int error = errno;
  close(fs);
  errno = error;
  return mount;
}

static void overlay_by_mount(int upper, int work, const char *target) {
  char options[4096] = "lowerdir=";
  size_t used = strlen(options);
  for (int i = config.layer_count - 1; i >= 0; i--)
    used += (size_t)snprintf(options + used, sizeof options - used, "/proc/self/fd/%d%s", layer_fds[i], i ? ":" : "");
  snprintf(options + used, sizeof options - used, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,volatile", upper, work);
  if (mount("overlay", target, "overlay", 0, options)) fail("mount(overlay)", target);
}

static int in_a_layer(const char *name) {
  struct stat st;
  for (int i = 0; i < config.layer_count; i++)
    if (!fstatat(layer_fds[i], name, &st, AT_SYMLINK_NOFOLLOW)) return 1;
  return 0;
}

/* Mount points that no layer has, made in the upper directory before the mount: through overlayfs each costs 0.5 ms. */
static void make_mountpoints(int upper) {
  static const char *const names[] = {"proc", "sys", "dev"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!in_a_layer(names[i]) && (mkdirat(upper, names[i], 0755) || fchownat(upper, names[i], config.id_base, config.id_base, 0)))
      fail("mountpoint", names[i]);
}

static void open_layers(void) {
  for (int i = 0; i < config.layer_count; i++) layer_fds[i] = open_layer(config.layers[i]);
}

static void close_layers(void) {
  for (int i = 0; i < config.layer_count; i++) close(layer_fds[i]);
}

int rootfs_make(void) {
  open_layers();
  int upper = open_upper(), work = open_part("work");
  make_mountpoints(upper);
  int mount = overlay_by_fsopen(upper, work);
  if (mount < 0) fail("mount(overlay)", config.directory);
  close_layers();
  close(upper), close(work);
  return mount;
}

/* Mounted over the attempt's own directory: visible in the container's mount namespace only. */
int rootfs_mount(void) {
  const char *target = config.directory;
  open_layers();
  int upper = open_upper(), work = open_part("work"), at = open_directory(target);
  make_mountpoints(upper);
  int mount = overlay_by_fsopen(upper, work);
  if (mount < 0 && errno == EINVAL) overlay_by_mount(upper, work, target);
  else if (mount < 0) fail("mount(overlay)", config.directory);
  else if (x_move_mount(mount, at)) fail("move_mount(rootfs)", target);
  close_layers();
  close(upper), close(work), close(at);
  if (mount >= 0) close(mount);
  return open_directory(target);
}

/*
 * Volumes and single files, bind-mounted. Sources are cloned (open_tree) in the node's mount namespace before the
 * container's exists, so that nothing is looked up by a name that a container could change; targets are resolved inside
 * the root. Propagation: private by default, slave and shared only as said.
 */
#include "shim.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Read-only is the mount itself; what is mounted below it only where the pod says so (recursiveReadOnly). */
static void set_attributes(const struct bind *bind) {
  struct x_mount_attr read_only = {.attr_set = X_MOUNT_ATTR_RDONLY};
  struct x_mount_attr spread = {.propagation = bind->flags & MOUNT_SLAVE ? MS_SLAVE : MS_PRIVATE};
  unsigned depth = bind->flags & MOUNT_RECURSIVE ? X_AT_RECURSIVE : 0;
  if (bind->flags & MOUNT_READ_ONLY && x_mount_setattr(bind->tree, depth, &read_only)) fail("mount_setattr", bind->source);
  if (!(bind->flags & MOUNT_SHARED) && x_mount_setattr(bind->tree, X_AT_RECURSIVE, &spread)) fail("mount_setattr", bind->source);
}

void volumes_open(void) {
  for (int i = 0; i < config.mount_count; i++) {
    struct bind *bind = &config.mounts[i];
    bind->tree = x_open_tree(AT_FDCWD, bind->source, X_OPEN_TREE_CLONE | X_AT_RECURSIVE | O_CLOEXEC);
    if (bind->tree < 0) fail("volume", bind->source);
    set_attributes(bind);
    userns_map(bind->tree, bind->source);
  }
}

void volumes_close(void) {
  for (int i = 0; i < config.mount_count; i++) close(config.mounts[i].tree);
}

/* A mount that lands in /proc could fake what runtimes and the kernel's users read there. */
static void refuse_proc(int at, const char *target) {
  struct statfs fs;
  if (fstatfs(at, &fs)) fail("mountpoint", target);
  if (fs.f_type == X_PROC_SUPER_MAGIC) fail_with("mountpoint", EPERM, target);
}

void volumes_attach(int root) {
  for (int i = 0; i < config.mount_count; i++) {
    const struct bind *bind = &config.mounts[i];
    struct stat st;
    if (fstat(bind->tree, &st)) fail("volume", bind->source);
    int at = make_in_root(root, bind->target, S_ISDIR(st.st_mode));
    if (at < 0) fail("mountpoint", bind->target);
    refuse_proc(at, bind->target);
    if (x_move_mount(bind->tree, at)) fail("mount", bind->target);
    close(at);
    close(bind->tree);
  }
}

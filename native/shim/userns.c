/*
 * A pod's own user namespace: IDs 0 to 65535 inside are the node's from config.id_base on, which own nothing there. What
 * lies on disk keeps its IDs and is shown through idmapped mounts. Everything here does nothing without such a namespace.
 */
#include "shim.h"

#include <stdio.h>
#include <sys/stat.h>

static int namespace_fd = -1;

void userns_open(void) {
  char path[64];
  if (!config.id_base) return;
  snprintf(path, sizeof path, "/proc/%u/ns/user", config.target_pid);
  namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace_fd < 0) fail("userns", path);
}

void userns_map(int tree, const char *path) {
  if (!config.id_base) return;
  struct x_mount_attr attr = {.attr_set = X_MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)namespace_fd};
  if (x_mount_setattr(tree, 0, &attr)) fail("idmap", path);
}

/* Pipes only: /dev/null is the node's. */
void userns_give(int fd) {
  struct stat st;
  if (!config.id_base) return;
  if (fstat(fd, &st)) fail("stdio", NULL);
  if (S_ISFIFO(st.st_mode) && fchown(fd, config.id_base, config.id_base)) fail("stdio", "owner");
}

void userns_become_root(void) {
  if (syscall(SYS_setgroups, 0, NULL)) fail("setgroups", "user namespace");
  if (syscall(SYS_setresgid, 0, 0, 0)) fail("setgid", "user namespace");
  if (syscall(SYS_setresuid, 0, 0, 0)) fail("setuid", "user namespace");
}

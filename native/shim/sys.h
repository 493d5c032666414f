/*
 * The system calls and constants that musl's headers do not have. Only numbers and thin wrappers; x86_64 and arm64 share
 * the numbers above 424.
 */
#ifndef KEELSON_SYS_H
#define KEELSON_SYS_H

#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#define X_OPEN_TREE_CLONE 1
#define X_AT_RECURSIVE 0x8000
#define X_AT_EMPTY_PATH 0x1000
#define X_MOVE_MOUNT_F_EMPTY_PATH 0x04
#define X_MOVE_MOUNT_T_EMPTY_PATH 0x40
#define X_FSCONFIG_SET_FLAG 0
#define X_FSCONFIG_SET_STRING 1
#define X_FSCONFIG_CMD_CREATE 6
#define X_MOUNT_ATTR_RDONLY 0x01
#define X_MOUNT_ATTR_NOSUID 0x02
#define X_MOUNT_ATTR_NODEV 0x04
#define X_MOUNT_ATTR_NOEXEC 0x08
#define X_MOUNT_ATTR_IDMAP 0x00100000
#define X_RESOLVE_NO_MAGICLINKS 0x02
#define X_RESOLVE_NO_SYMLINKS 0x04
#define X_RESOLVE_IN_ROOT 0x10

#define X_CLONE_PARENT 0x00008000ULL
#define X_CLONE_NEWUSER 0x10000000
#define X_CLONE_PIDFD 0x1000ULL
#define X_CLONE_INTO_CGROUP 0x200000000ULL
#define X_CLONE_NEWNS 0x00020000
#define X_CLONE_NEWCGROUP 0x02000000
#define X_CLONE_NEWUTS 0x04000000
#define X_CLONE_NEWIPC 0x08000000
#define X_CLONE_NEWPID 0x20000000
#define X_CLONE_NEWNET 0x40000000

#define X_PROC_SUPER_MAGIC 0x9fa0
#define X_DEVPTS_SUPER_MAGIC 0x1cd1

struct x_clone_args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
struct x_open_how {
  uint64_t flags, mode, resolve;
};
struct x_mount_attr {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};

struct x_sock_fprog {
  unsigned short length;
  const void *filter;
};
struct x_cap_header {
  uint32_t version;
  int pid;
};
struct x_cap_data {
  uint32_t effective, permitted, inheritable;
};
#define X_CAPABILITY_VERSION_3 0x20080522
#define X_SECCOMP_SET_MODE_FILTER 1

static inline long x_clone3(struct x_clone_args *args) { return syscall(SYS_clone3, args, sizeof *args); }
static inline int x_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int x_pidfd_send_signal(int fd, int sig) { return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0); }
static inline int x_close_range(unsigned first, unsigned last) { return (int)syscall(SYS_close_range, first, last, 0); }
static inline int x_open_tree(int dir, const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, dir, path, flags);
}
static inline int x_move_mount(int from, int to) {
  return (int)syscall(SYS_move_mount, from, "", to, "", X_MOVE_MOUNT_F_EMPTY_PATH | X_MOVE_MOUNT_T_EMPTY_PATH);
}
static inline int x_fsopen(const char *name) { return (int)syscall(SYS_fsopen, name, 1 /* FSOPEN_CLOEXEC */); }
static inline int x_fsconfig(int fd, unsigned command, const char *key, const char *value) {
  return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}
static inline int x_fsmount(int fd, unsigned attributes) {
  return (int)syscall(SYS_fsmount, fd, 1 /* FSMOUNT_CLOEXEC */, attributes);
}
static inline int x_mount_setattr(int fd, unsigned flags, struct x_mount_attr *attr) {
  return (int)syscall(SYS_mount_setattr, fd, "", flags | X_AT_EMPTY_PATH, attr, sizeof *attr);
}
int x_openat2(int dir, const char *path, int flags, int mode, uint64_t resolve);

#endif

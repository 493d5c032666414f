/*
 * The mounts that every container has: /proc, /sys, /sys/fs/cgroup, /dev with its nodes, pts, shm, mqueue. Each is made
 * detached and put onto a directory held by descriptor. The places of /proc, /sys and /dev must be real directories:
 * an image whose /proc is a symbolic link is refused (CVE-2019-16884 and its kin).
 */
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SAFE (X_MOUNT_ATTR_NOSUID | X_MOUNT_ATTR_NODEV | X_MOUNT_ATTR_NOEXEC)

/* options: key, value, key, value, …, NULL */
int filesystem_mount(const char *type, const char *const *options, unsigned attributes) {
  int fs = x_fsopen(type);
  if (fs < 0) fail("fsopen", type);
  for (; options && *options; options += 2)
    if (x_fsconfig(fs, options[1] ? X_FSCONFIG_SET_STRING : X_FSCONFIG_SET_FLAG, options[0], options[1])) fail("fsconfig", options[0]);
  if (x_fsconfig(fs, X_FSCONFIG_CMD_CREATE, NULL, NULL)) fail("mount", type);
  int mount = x_fsmount(fs, attributes);
  if (mount < 0) fail("fsmount", type);
  close(fs);
  return mount;
}

static int real_directory(int root, const char *name) {
  mkdirat(root, name, 0755);
  int fd = x_openat2(root, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, X_RESOLVE_NO_SYMLINKS | X_RESOLVE_IN_ROOT);
  if (fd < 0) fail("mountpoint", name);
  return fd;
}

static void put(int mount, int at, const char *name) {
  if (x_move_mount(mount, at)) fail("move_mount", name);
  close(mount);
  close(at);
}

static void mount_at(int root, const char *name, const char *type, const char *const *options, unsigned attributes) {
  put(filesystem_mount(type, options, attributes), real_directory(root, name), name);
}

static void mount_sys(int root) {
  unsigned attributes = SAFE | (config.flags & FLAG_PRIVILEGED ? 0 : X_MOUNT_ATTR_RDONLY);
  mount_at(root, "sys", "sysfs", NULL, attributes);
  int at = x_openat2(root, "sys/fs/cgroup", O_PATH | O_DIRECTORY, 0, X_RESOLVE_NO_SYMLINKS | X_RESOLVE_IN_ROOT);
  if (at < 0 && errno == ENOENT) return;
  if (at < 0) fail("mountpoint", "sys/fs/cgroup");
  put(filesystem_mount("cgroup2", NULL, attributes), at, "sys/fs/cgroup");
}

struct node {
  const char *name, *path;
  unsigned major, minor;
};
static const struct node nodes[] = {
    {"null", "/dev/null", 1, 3},     {"zero", "/dev/zero", 1, 5},       {"full", "/dev/full", 1, 7},
    {"random", "/dev/random", 1, 8}, {"urandom", "/dev/urandom", 1, 9}, {"tty", "/dev/tty", 5, 0},
};

/* Where mknod is forbidden (a user namespace above us), the node's own device is bound instead. */
static void bind_node(int dev, const struct node *node) {
  int tree = x_open_tree(AT_FDCWD, node->path, X_OPEN_TREE_CLONE | O_CLOEXEC);
  if (tree < 0 || mknodat(dev, node->name, S_IFREG | 0666, 0)) fail("mknod", node->path);
  put(tree, openat(dev, node->name, O_PATH | O_NOFOLLOW | O_CLOEXEC), node->path);
}

static void make_nodes(int dev) {
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
    if (mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor))) bind_node(dev, &nodes[i]);
    else if (fchmodat(dev, nodes[i].name, 0666, 0)) fail("chmod", nodes[i].path); /* umask */
  }
}

static void make_links(int dev) {
  static const char *const links[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}};
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlinkat(links[i][0], dev, links[i][1])) fail("symlink", links[i][1]);
}

static int has_mount(const char *target) {
  for (int i = 0; i < config.mount_count; i++)
    if (!strcmp(config.mounts[i].target, target)) return 1;
  return 0;
}

/* A privileged container gets every device that lies directly in the node's /dev, as Kubernetes has it. */
static void copy_node_devices(int dev) {
  DIR *host = opendir("/dev");
  for (struct dirent *entry; host && (entry = readdir(host));) {
    struct stat st;
    if (fstatat(dirfd(host), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) continue;
    if (!strcmp(entry->d_name, "ptmx") || !strcmp(entry->d_name, "console")) continue;
    if (mknodat(dev, entry->d_name, st.st_mode & ~(mode_t)S_ISUID, st.st_rdev) && errno != EEXIST && !config.id_base) fail("mknod", entry->d_name);
  }
  if (host) closedir(host);
}

static void mount_dev(int root) {
  static const char *const tmpfs[] = {"mode", "755", "size", "65536k", NULL};
  static const char *const pts[] = {"newinstance", NULL, "ptmxmode", "0666", "mode", "0620", "gid", "5", NULL};
  static const char *const shm[] = {"mode", "1777", "size", "65536k", NULL};
  mount_at(root, "dev", "tmpfs", tmpfs, X_MOUNT_ATTR_NOSUID);
  int dev = x_openat2(root, "dev", O_RDONLY | O_DIRECTORY, 0, X_RESOLVE_NO_SYMLINKS | X_RESOLVE_IN_ROOT);
  if (dev < 0) fail("mountpoint", "/dev");
  make_nodes(dev);
  make_links(dev);
  mount_at(dev, "pts", "devpts", pts, X_MOUNT_ATTR_NOSUID | X_MOUNT_ATTR_NOEXEC);
  mount_at(dev, "mqueue", "mqueue", NULL, SAFE);
  if (!has_mount("/dev/shm")) mount_at(dev, "shm", "tmpfs", shm, SAFE);
  if (config.flags & FLAG_PRIVILEGED) copy_node_devices(dev);
  close(dev);
}

void mounts_standard(int root) {
  mount_at(root, "proc", "proc", NULL, SAFE);
  mount_sys(root);
  mount_dev(root);
}

/* Called inside the new root: the terminal under the name that programs expect. */
void mounts_console(int slave) {
  int at = open("/dev/console", O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  int tree = x_open_tree(slave, "", X_OPEN_TREE_CLONE | X_AT_EMPTY_PATH | O_CLOEXEC);
  if (at < 0 || tree < 0) fail("console", "/dev/console");
  put(tree, at, "/dev/console");
}

/** Memory as a directory: the mounts that a pod's volumes need in the node's own mount namespace. */
#include "mount.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "failure.h"
#include "files.h"

namespace keelson {
namespace {

long magicOf(const std::string& type) {
  if (type == "overlay") return OVERLAYFS_SUPER_MAGIC;
  return type == "tmpfs" ? TMPFS_MAGIC : HUGETLBFS_MAGIC;
}

bool isMounted(const std::string& path, const std::string& type) {
  struct stat here, above;
  struct statfs fs;
  if (stat(path.c_str(), &here) != 0 || stat((path + "/..").c_str(), &above) != 0) return false;
  return here.st_dev != above.st_dev && statfs(path.c_str(), &fs) == 0 && fs.f_type == magicOf(type);
}

}  // namespace

void mountOnce(const std::string& path, const std::string& type, const std::string& options) {
  if (isMounted(path, type)) return;
  makeDirectories(path, 0755);
  if (mount(type.c_str(), path.c_str(), type.c_str(), 0, options.c_str()) != 0) {
    fail("mount(" + type + ")", path, errno, "options \"" + options + "\"");
  }
}

void unmount(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return;
  if (errno != EINVAL && errno != ENOENT) fail("umount2", path);
}

}  // namespace keelson

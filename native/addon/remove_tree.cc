/**
 * rm -rf without a process, and without a trip through the pool for each name. What lies in a tree was made by a container:
 * so everything is reached from the descriptor of its directory, no symbolic link is followed, no mount is crossed (it is
 * detached), and a tree of any depth needs only so many descriptors.
 */
#include "remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "convert.h"
#include "handle.h"
#include "worker.h"

namespace keelson {
namespace {

/** Levels of descriptors at once; what lies deeper is moved up to the root of the tree, and removed from there. */
constexpr int maxDepth = 64;

int openDirectory(int parent, const char* name) {
  struct open_how how = {};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  return static_cast<int>(syscall(SYS_openat2, parent, name, &how, sizeof how));
}

class Tree {
 public:
  Tree(int top, std::string path) : top_(top), path_(std::move(path)) {}

  /** Again as long as something was moved up. */
  void empty() {
    do {
      moved_ = 0;
      contents(top_, 0);
    } while (moved_ > 0);
  }

 private:
  /** @param directory stays the caller's */
  void contents(int directory, int depth) {
    // a description of its own: reading moves its offset
    const int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) fail("openat", path_);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(own), closedir);
    if (!stream) {
      close(own);
      fail("fdopendir", path_);
    }
    while (const dirent* entry = readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") remove(directory, name.c_str(), entry->d_type, depth);
    }
  }

  void remove(int parent, const char* name, unsigned char type, int depth) {
    if (type != DT_DIR && unlinked(parent, name, 0)) return;
    const UniqueFd fd(openDirectory(parent, name));
    if (!fd && errno == EXDEV) {
      detach(parent, name);
      return remove(parent, name, DT_UNKNOWN, depth);
    }
    if (!fd && errno == ENOENT) return;
    if (!fd) fail("openat2", path_ + "/…/" + name);
    if (depth >= maxDepth && moveUp(parent, name)) return;
    contents(fd.get(), depth + 1);
    if (!unlinked(parent, name, AT_REMOVEDIR)) fail("unlinkat", path_ + "/…/" + name);
  }

  /** False if it is a directory after all; a mount point is detached first. */
  bool unlinked(int parent, const char* name, int flags) {
    if (unlinkat(parent, name, flags) == 0 || errno == ENOENT) return true;
    if (errno == EBUSY) {
      detach(parent, name);
      return unlinked(parent, name, flags);
    }
    if (flags == 0 && errno == EISDIR) return false;
    fail("unlinkat", path_ + "/…/" + name);
  }

  void detach(int parent, const char* name) {
    const std::string place = "/proc/self/fd/" + std::to_string(parent) + "/" + name;
    if (umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) fail("umount2", path_ + "/…/" + name);
  }

  bool moveUp(int parent, const char* name) {
    const std::string here = ".keelson-moved-" + std::to_string(count_++);
    if (renameat(parent, name, top_, here.c_str()) != 0) return false;
    moved_++;
    return true;
  }

  const int top_;
  const std::string path_;
  int moved_ = 0;
  unsigned count_ = 0;
};

void removeTree(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    fail("lstat", path);
  }
  if (!S_ISDIR(found.st_mode)) {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) fail("unlink", path);
    return;
  }
  {
    const UniqueFd top(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top) fail("open", path);
    Tree(top.get(), path).empty();
  }
  if (rmdir(path.c_str()) != 0 && errno != ENOENT) fail("rmdir", path);
}

}  // namespace

Napi::Value removeTrees(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [paths = listOf(info[0], toString)] {
    for (const auto& path : paths) removeTree(path);
  });
}

}  // namespace keelson

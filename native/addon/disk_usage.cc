/**
 * du(1) without a process: allocated blocks below each path, on one filesystem, a file with several names counted once.
 * What vanishes under way is not counted; symbolic links are not followed.
 */
#include "disk_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <set>

#include "convert.h"
#include "handle.h"
#include "worker.h"

namespace keelson {
namespace {

/** Deeper than any sane tree; each level holds a descriptor open. */
constexpr int maxDepth = 256;
constexpr int64_t blockBytes = 512;

struct Walk {
  dev_t device;
  int64_t bytes = 0;
  std::set<ino_t> linked;

  void count(const struct stat& found) {
    if (!S_ISDIR(found.st_mode) && found.st_nlink > 1 && !linked.insert(found.st_ino).second) return;
    bytes += found.st_blocks * blockBytes;
  }

  /** Takes the descriptor. */
  void directory(int fd, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd), closedir);
    if (!stream) {
      close(fd);
      return;
    }
    while (const dirent* entry = readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") visit(fd, name.c_str(), depth);
    }
  }

  void visit(int parent, const char* name, int depth) {
    struct stat found;
    if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || found.st_dev != device) return;
    count(found);
    if (!S_ISDIR(found.st_mode) || depth >= maxDepth) return;
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) directory(fd, depth + 1);
  }
};

int64_t usageOf(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) return 0;
  Walk walk{found.st_dev, 0, {}};
  walk.visit(AT_FDCWD, path.c_str(), 0);
  return walk.bytes;
}

}  // namespace

Napi::Value diskUsage(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(),
      [paths = listOf(info[0], toString)] {
        std::vector<int64_t> all;
        all.reserve(paths.size());
        for (const auto& path : paths) all.push_back(usageOf(path));
        return all;
      },
      [](Napi::Env env, std::vector<int64_t>& all) -> Napi::Value {
        auto array = Napi::Array::New(env, all.size());
        for (uint32_t i = 0; i < all.size(); i++) array[i] = Napi::Number::New(env, static_cast<double>(all[i]));
        return array;
      });
}

}  // namespace keelson

/** Many small files in one trip: a pod has a dozen, and a trip through the pool costs as much as writing one of them. */
#include "write_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>

#include "convert.h"
#include "files.h"
#include "mount.h"
#include "volume_files.h"
#include "worker.h"

namespace keelson {
namespace {

enum class Kind { Directory, Write, Create, Replace, Sync, Volume, Mount, Unmount };

struct FileOp {
  Kind kind;
  std::string path;
  std::string data;
  mode_t mode;
  VolumeContent content;
  std::string type, options;  ///< of a mount
};

/** index.ts has no other names. */
Kind kindOf(const std::string& name) {
  if (name == "directory") return Kind::Directory;
  if (name == "write") return Kind::Write;
  if (name == "create") return Kind::Create;
  if (name == "volume") return Kind::Volume;
  if (name == "mount") return Kind::Mount;
  if (name == "unmount") return Kind::Unmount;
  return name == "replace" ? Kind::Replace : Kind::Sync;
}

FileOp opOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const Kind kind = kindOf(stringOf(object, "op"));
  FileOp op{kind, stringOf(object, "path"), stringOr(object, "data"), static_cast<mode_t>(numberIf(object, "mode").value_or(0)), {},
            stringOr(object, "type"), stringOr(object, "options")};
  if (kind == Kind::Volume) op.content = volumeContentOf(object);
  return op;
}

/** The mode is as given, whatever the umask is. @param flags how to open it for writing */
void writeWhole(const std::string& path, const FileOp& op, int flags) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, op.mode));
  if (!fd) fail("open", path);
  if (fchmod(fd.get(), op.mode) != 0) fail("fchmod", path);
  writeAll(fd.get(), op.data, path);
}

/** A name of its own beside the file, so that two writers of one file do not meet in it. */
std::string temporaryFor(const std::string& path) {
  static std::atomic<unsigned> count{0};
  const size_t base = path.rfind('/') + 1;
  return path.substr(0, base) + "." + path.substr(base) + "." + std::to_string(getpid()) + "-" + std::to_string(count++) + ".tmp";
}

void replace(const FileOp& op) {
  const std::string temporary = temporaryFor(op.path);
  try {
    writeWhole(temporary, op, O_TRUNC);
    if (rename(temporary.c_str(), op.path.c_str()) != 0) fail("rename", op.path);
  } catch (const KernelFailure&) {
    unlink(temporary.c_str());
    throw;
  }
}

void sync(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fail("open", path);
  if (fsync(fd.get()) != 0) fail("fsync", path);
}

void perform(const FileOp& op) {
  switch (op.kind) {
    case Kind::Directory:
      return void(makeDirectories(op.path, op.mode));
    case Kind::Write:
      return writeWhole(op.path, op, O_TRUNC);
    case Kind::Create:
      return writeWhole(op.path, op, O_EXCL);
    case Kind::Replace:
      return replace(op);
    case Kind::Sync:
      return sync(op.path);
    case Kind::Volume:
      return switchVolume(op.path, op.content);
    case Kind::Mount:
      return mountOnce(op.path, op.type, op.options);
    case Kind::Unmount:
      return unmount(op.path);
  }
}

}  // namespace

Napi::Value writeFiles(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [ops = listOf(info[0], opOf)] {
    for (const auto& op : ops) perform(op);
  });
}

}  // namespace keelson

#include "program.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "failure.h"
#include "files.h"

// Newer than Debian 12's headers.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

namespace keelson {
namespace {

std::mutex mutex;
std::string directory;
std::map<std::string, UniqueFd> programs;

/** Linux 6.3 wants to be told whether a memfd may be executed; older ones refuse the question. */
int createMemfd(const std::string& name, bool executable) {
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = memfd_create(name.c_str(), flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
  return fd >= 0 || errno != EINVAL ? fd : memfd_create(name.c_str(), flags);
}

void seal(int fd, const std::string& object) {
  constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(fd, F_ADD_SEALS, seals) != 0) fail("fcntl(F_ADD_SEALS)", object);
  fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC);  // Linux 6.3; the mode of an older memfd cannot be sealed
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) != 0) fail("fcntl(F_SEAL_SEAL)", object);
}

}  // namespace

void setProgramDirectory(const Napi::CallbackInfo& info) {
  {
    const std::lock_guard lock(mutex);
    directory = info[0].As<Napi::String>().Utf8Value();
  }
  // Now, while few files are open: a launch copies the descriptor table up to the highest number it needs.
  for (const char* name : {"pause", "shim"}) {
    try {
      programFd(name);
    } catch (const KernelFailure&) {
      // Not built: whoever wants to run it is told.
    }
  }
}

UniqueFd sealedFd(const std::string& name, const std::string& content, bool executable) {
  UniqueFd writable(createMemfd(name, executable));
  if (!writable) fail("memfd_create", name);
  writeAll(writable.get(), content, "memfd " + name);
  seal(writable.get(), "memfd " + name);
  const std::string path = "/proc/self/fd/" + std::to_string(writable.get());
  UniqueFd readable(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable) fail("open", path);
  return readable;
}

int programFd(const std::string& name) {
  const std::lock_guard lock(mutex);
  if (auto found = programs.find(name); found != programs.end()) return found->second.get();
  const std::string path = directory + "/" + name;
  UniqueFd fd = sealedFd("keelson-" + name, readFile(path, "run npm run build"), true);
  return programs.emplace(name, std::move(fd)).first->second.get();
}

}  // namespace keelson

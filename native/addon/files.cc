#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "failure.h"

namespace keelson {
namespace {

std::string baseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool readWhole(int fd, std::string& content) {
  content.clear();
  char buffer[8192];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count == 0;
    content.append(buffer, static_cast<size_t>(count));
  }
}

}  // namespace

std::string readFile(const std::string& path, const std::string& hint) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fail("open", path, errno, hint);
  std::string content;
  if (!readWhole(fd.get(), content)) fail("read", path);
  return content;
}

bool tryReadFile(int directory, const char* path, std::string& content) {
  content.clear();
  UniqueFd fd(openat(directory, path, O_RDONLY | O_CLOEXEC));
  return fd && readWhole(fd.get(), content);
}

void writeFile(const std::string& path, const std::string& content) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) fail("open(" + baseName(path) + ")", path);
  if (write(fd.get(), content.data(), content.size()) < 0) {
    fail("write(" + baseName(path) + ")", path, errno, "value \"" + content + "\"");
  }
}

void writeAll(int fd, const std::string& content, const std::string& object) {
  for (size_t done = 0; done < content.size();) {
    const ssize_t count = write(fd, content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", object);
    done += static_cast<size_t>(count);
  }
}

bool makeDirectories(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return true;
  if (errno == EEXIST) return false;
  const size_t slash = path.rfind('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0) fail("mkdir", path);
  makeDirectories(path.substr(0, slash), mode);
  if (mkdir(path.c_str(), mode) == 0) return true;
  if (errno != EEXIST) fail("mkdir", path);
  return false;
}

}  // namespace keelson

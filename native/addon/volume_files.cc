/**
 * Volumes that are files made by the node, laid out as kubelet's AtomicWriter does: `..2026_01_31_…` holds the files,
 * `..data` leads to it and is switched by one rename, and every name that users see is a link through `..data`.
 */
#include "volume_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <set>

#include "convert.h"
#include "files.h"
#include "handle.h"
#include "failure.h"

namespace keelson {
namespace {

constexpr mode_t directoryMode = 0755;

VolumeFile fileOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const auto data = object.Get("data").As<Napi::Uint8Array>();
  VolumeFile file{stringOf(object, "path"), {reinterpret_cast<const char*>(data.Data()), data.ByteLength()},
                  static_cast<mode_t>(numberOf(object, "mode")), std::nullopt};
  if (const auto owner = numberIf(object, "owner")) file.owner = static_cast<uid_t>(*owner);
  return file;
}

/** A name that no earlier one equals: time, then a count of ours. */
std::string freshName() {
  static std::atomic<unsigned> count{0};
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts;
  gmtime_r(&now.tv_sec, &parts);
  char text[64];
  const size_t length = strftime(text, sizeof text, "..%Y_%m_%d_%H_%M_%S", &parts);
  snprintf(text + length, sizeof text - length, ".%09ld%u", now.tv_nsec, count++ % 1000);
  return text;
}

/** With a group, what is made inside belongs to that group too. */
void ownDirectory(const std::string& path, const VolumeContent& content) {
  if (content.group && chown(path.c_str(), static_cast<uid_t>(-1), *content.group) != 0) fail("chown", path);
  if (chmod(path.c_str(), content.group ? directoryMode | S_ISGID : directoryMode) != 0) fail("chmod", path);
}

/** Every directory between `root` and the file. */
void makeParents(const std::string& root, const std::string& path, const VolumeContent& content) {
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = root + "/" + path.substr(0, slash);
    if (makeDirectories(directory, directoryMode)) ownDirectory(directory, content);
  }
}

void writeOne(const std::string& root, const VolumeFile& file, const VolumeContent& content) {
  const std::string path = root + "/" + file.path;
  makeParents(root, file.path, content);
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) fail("open", path);
  writeAll(fd.get(), file.data, path);
  const bool owned = content.group || file.owner;
  if (owned && fchown(fd.get(), file.owner.value_or(0), content.group.value_or(static_cast<gid_t>(-1))) != 0) fail("fchown", path);
  if (fchmod(fd.get(), file.mode) != 0) fail("fchmod", path);
}

void switchLink(const std::string& volume, const std::string& name) {
  // a link under the temporary name was left by a writer that died here
  const std::string temporary = volume + "/..data_tmp";
  unlink(temporary.c_str());
  if (symlink(name.c_str(), temporary.c_str()) != 0) fail("symlink", temporary);
  if (rename(temporary.c_str(), (volume + "/..data").c_str()) != 0) fail("rename", volume + "/..data");
}

std::set<std::string> firstComponents(const VolumeContent& content) {
  std::set<std::string> names;
  for (const auto& file : content.files) names.insert(file.path.substr(0, file.path.find('/')));
  return names;
}

std::vector<std::string> entriesOf(const std::string& volume) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(volume.c_str()), closedir);
  if (!directory) fail("opendir", volume);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory.get())) names.emplace_back(entry->d_name);
  return names;
}

bool isOldContent(const std::string& name, const std::string& current) {
  return name.size() > 2 && name.rfind("..", 0) == 0 && name[2] >= '0' && name[2] <= '9' && name != current;
}

void showNames(const std::string& volume, const std::set<std::string>& names) {
  for (const auto& name : names) {
    const std::string path = volume + "/" + name;
    if (symlink(("..data/" + name).c_str(), path.c_str()) != 0 && errno != EEXIST) fail("symlink", path);
  }
}

/** What earlier contents have left. A failure leaves litter, nothing wrong: the next switch meets it again. */
void removeOld(const std::string& volume, const std::string& current, const std::set<std::string>& names) {
  for (const auto& name : entriesOf(volume)) {
    std::error_code ignored;
    if (isOldContent(name, current)) std::filesystem::remove_all(volume + "/" + name, ignored);
    else if (name.rfind("..", 0) != 0 && name != "." && !names.count(name)) unlink((volume + "/" + name).c_str());
  }
}

}  // namespace

VolumeContent volumeContentOf(const Napi::Object& op) {
  VolumeContent content{listOf(op.Get("files"), fileOf), std::nullopt};
  if (const auto group = numberIf(op, "group")) content.group = static_cast<gid_t>(*group);
  return content;
}

void switchVolume(const std::string& volume, const VolumeContent& content) {
  const std::string name = freshName();
  const std::string fresh = volume + "/" + name;
  makeDirectories(fresh, directoryMode);
  ownDirectory(volume, content);
  ownDirectory(fresh, content);
  for (const auto& file : content.files) writeOne(fresh, file, content);
  switchLink(volume, name);
  const auto names = firstComponents(content);
  showNames(volume, names);
  removeOld(volume, name, names);
}

}  // namespace keelson

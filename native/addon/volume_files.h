#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include <napi.h>

namespace keelson {

struct VolumeFile {
  std::string path;  ///< relative to the volume
  std::string data;
  mode_t mode;
  std::optional<uid_t> owner;
};

struct VolumeContent {
  std::vector<VolumeFile> files;
  std::optional<gid_t> group;
};

/** Reads `files` and `group`. */
VolumeContent volumeContentOf(const Napi::Object& op);

/** Makes `volume` show exactly `content`: readers see all old or all new. Throws KernelFailure. */
void switchVolume(const std::string& volume, const VolumeContent& content);

}  // namespace keelson

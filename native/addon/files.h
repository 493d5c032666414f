/** Small files of procfs, sysfs, cgroupfs and our own build: read whole, written in one go, errors with the path. */
#pragma once
#include <sys/types.h>

#include <string>

#include "handle.h"

namespace keelson {

/** @param hint goes into the error if the file cannot be opened */
std::string readFile(const std::string& path, const std::string& hint = {});

/** Empty string and false if it cannot be opened or read. @param directory fd, or AT_FDCWD */
bool tryReadFile(int directory, const char* path, std::string& content);

/** One write(2), as kernel files want it. The error names the file alone as syscall: `write(memory.max)`. */
void writeFile(const std::string& path, const std::string& content);

void writeAll(int fd, const std::string& content, const std::string& object);

/** mkdir -p; the mode is that of each one made. True if the last one was made now. */
bool makeDirectories(const std::string& path, mode_t mode = 0755);

}  // namespace keelson

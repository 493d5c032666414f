#pragma once
#include <string>

namespace keelson {

/**
 * A file system of its own on a directory, made if missing; where one of that type is mounted already, nothing.
 * @param type `tmpfs`, `hugetlbfs` or `overlay`. @param options as mount(8) takes them after `-o`. Throws KernelFailure.
 */
void mountOnce(const std::string& path, const std::string& type, const std::string& options);

/** What is mounted there goes from sight now, and from memory with its last user. Nothing mounted is success. */
void unmount(const std::string& path);

}  // namespace keelson

/**
 * Our static programs as sealed memfds, made once per process: no container can reach and rewrite them through
 * /proc/PID/exe (CVE-2019-5736), and nothing has to be found in a file system at run time.
 */
#pragma once
#include <string>

#include <napi.h>

#include "handle.h"

namespace keelson {

/** Directory that holds `pause` and `shim`: told once by index.ts. */
void setProgramDirectory(const Napi::CallbackInfo& info);

/** The descriptor stays open as long as the process lives. Any thread. @param name `pause` or `shim` */
int programFd(const std::string& name);

/** `content` on a memfd that nobody can change any more, opened read-only at offset 0. */
UniqueFd sealedFd(const std::string& name, const std::string& content, bool executable);

}  // namespace keelson

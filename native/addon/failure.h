/**
 * A system call that failed, on whichever thread; and the one function that makes a JavaScript error of it.
 */
#pragma once
#include <cerrno>
#include <string>

#include <napi.h>

namespace keelson {

/** Thrown by native code; carries no N-API value, so it may cross threads. */
struct KernelFailure {
  std::string syscall;  ///< `write(memory.max)`
  std::string object;   ///< `pod default/web-0`, a path, a link
  int error;            ///< errno
  std::string hint;     ///< empty: none
};

/** Reads errno at once: call it in the line after the system call. */
[[noreturn]] inline void fail(std::string syscall, std::string object, int error = errno, std::string hint = {}) {
  throw KernelFailure{std::move(syscall), std::move(object), error, std::move(hint)};
}

/** Remembers the KernelError class of index.ts for this environment. */
void setKernelErrorClass(const Napi::CallbackInfo& info);

Napi::Value toError(Napi::Env env, const KernelFailure& failure);

}  // namespace keelson

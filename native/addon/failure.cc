#include "failure.h"

#include <cstring>

#include "environment.h"

namespace keelson {

void setKernelErrorClass(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).kernelError = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Value toError(Napi::Env env, const KernelFailure& failure) {
  const char* code = strerrorname_np(failure.error);
  const bool denied = failure.hint.empty() && (failure.error == EPERM || failure.error == EACCES);
  const std::string hint = denied ? "needs root: CAP_SYS_ADMIN and CAP_NET_ADMIN" : failure.hint;
  return Environment::of(env).kernelError.New({
      Napi::String::New(env, failure.syscall),
      Napi::String::New(env, failure.object),
      Napi::Number::New(env, failure.error),
      Napi::String::New(env, code ? code : std::to_string(failure.error)),
      hint.empty() ? env.Undefined() : Napi::String::New(env, hint),
  });
}

}  // namespace keelson

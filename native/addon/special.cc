#include "special.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "convert.h"
#include "failure.h"

namespace keelson {
namespace {

/** Runs on the event loop: for calls that touch one inode that was made a moment ago. */
template <class Call>
Napi::Value runHere(Napi::Env env, Call call) {
  try {
    call();
  } catch (const KernelFailure& failure) {
    Napi::Error(env, toError(env, failure)).ThrowAsJavaScriptException();
  }
  return env.Undefined();
}

uint32_t numberAt(const Napi::CallbackInfo& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }

}  // namespace

Napi::Value makeNode(const Napi::CallbackInfo& info) {
  return runHere(info.Env(), [&info] {
    const auto path = toString(info[0]);
    const auto mode = static_cast<mode_t>(numberAt(info, 1));
    if (mknod(path.c_str(), mode, makedev(numberAt(info, 2), numberAt(info, 3))) != 0) fail("mknod", path);
  });
}

Napi::Value setXattr(const Napi::CallbackInfo& info) {
  return runHere(info.Env(), [&info] {
    const auto path = toString(info[0]);
    const auto name = toString(info[1]);
    const auto value = info[2].As<Napi::Uint8Array>();
    if (lsetxattr(path.c_str(), name.c_str(), value.Data(), value.ByteLength(), 0) != 0) fail("lsetxattr(" + name + ")", path);
  });
}

}  // namespace keelson

#pragma once
#include <napi.h>

namespace keelson {

/** writeFiles(ops): directories, files and fsyncs in the order given, in one trip; stops at the first failure. */
Napi::Value writeFiles(const Napi::CallbackInfo& info);

}  // namespace keelson

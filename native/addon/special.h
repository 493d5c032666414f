/** What image layers hold and Node cannot make: device nodes, FIFOs and extended attributes. Synchronous, one call each. */
#pragma once
#include <napi.h>

namespace keelson {

/** makeNode(path, mode with type, major, minor) */
Napi::Value makeNode(const Napi::CallbackInfo& info);
/** setXattr(path, name, value): of the path itself, a symbolic link is not followed. */
Napi::Value setXattr(const Napi::CallbackInfo& info);

}  // namespace keelson

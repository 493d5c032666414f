/** What JavaScript can call, and nothing else: the table of contents of this boundary. Used by native/index.ts only. */
#include <napi.h>

#include "environment.h"
#include "failure.h"
#include "process.h"
#include "program.h"
#include "spawn.h"

namespace keelson {

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  const auto add = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
  add("setKernelErrorClass", setKernelErrorClass);
  add("setProgramDirectory", setProgramDirectory);

  add("createSandbox", createSandbox);
  add("spawnProgram", spawnProgram);
  add("processOpen", processOpen);
  add("processWait", processWait);
  add("processSignal", processSignal);
  add("processEnded", processEnded);
  add("processClose", processClose);
  return exports;
}

NODE_API_MODULE(keelson, initialise)

}  // namespace keelson

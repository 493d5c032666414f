/** What JavaScript can call, and nothing else: the table of contents of this boundary. Used by native/index.ts only. */
#include <napi.h>

#include "cgroup.h"
#include "cgroup_devices.h"
#include "connect.h"
#include "disk_usage.h"
#include "environment.h"
#include "failure.h"
#include "ipvs.h"
#include "netlink_ops.h"
#include "nfnetlink.h"
#include "process.h"
#include "program.h"
#include "remove_tree.h"
#include "spawn.h"
#include "special.h"
#include "veth.h"
#include "write_files.h"

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

  add("cgroupApply", cgroupApply);
  add("cgroupKill", cgroupKill);
  add("cgroupFreeze", cgroupFreeze);
  add("cgroupRemove", cgroupRemove);
  add("cgroupStats", cgroupStats);
  add("cgroupPids", cgroupPids);
  add("cgroupDevices", cgroupDevices);
  add("diskUsage", diskUsage);

  add("netlink", netlink);
  add("vethAttach", vethAttach);
  add("netnsConnect", netnsConnect);

  add("nftElements", nftElements);
  add("nftGeneration", nftGeneration);
  add("nftCount", nftCount);
  add("conntrackDelete", conntrackDelete);

  add("ipvs", ipvs);
  add("ipvsList", ipvsList);
  add("dummyLink", dummyLink);

  add("removeTrees", removeTrees);
  add("writeFiles", writeFiles);
  add("makeNode", makeNode);
  add("setXattr", setXattr);
  return exports;
}

NODE_API_MODULE(keelson, initialise)

}  // namespace keelson

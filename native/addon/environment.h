/**
 * What one JavaScript environment (the main thread or one worker) holds: its error class and everything that watches a
 * descriptor. When the environment ends, the watches are closed first; nothing outlives it.
 */
#pragma once
#include <unordered_set>

#include <napi.h>
#include <uv.h>

namespace keelson {

class Watch;

struct Environment {
  explicit Environment(Napi::Env env);
  ~Environment();
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  Napi::Env env;
  uv_loop_t* loop = nullptr;
  Napi::FunctionReference kernelError;
  Napi::AsyncContext context;
  std::unordered_set<Watch*> watches;
  bool ending = false;
  napi_async_cleanup_hook_handle cleanup = nullptr;

  /** Caller: a watch that has closed. Ends the clean-up when it was the last one. */
  void closed(Watch* watch);
};

}  // namespace keelson

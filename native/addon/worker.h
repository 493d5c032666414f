/**
 * Runs work on a libuv pool thread and settles a promise on the loop. A job has three fates: a value, a KernelFailure,
 * or its environment is gone, and then its result is destroyed unseen (descriptors in it are closed by their owners).
 */
#pragma once
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <napi.h>

#include "failure.h"

namespace keelson {

template <class Work, class Deliver>
class Job {
  using Result = std::invoke_result_t<Work>;

 public:
  Job(Napi::Env env, Work work, Deliver deliver)
      : deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), deliver_(std::move(deliver)) {}

  static Napi::Promise start(Napi::Env env, Work work, Deliver deliver) {
    auto job = std::make_unique<Job>(env, std::move(work), std::move(deliver));
    auto promise = job->deferred_.Promise();
    const Napi::String name = Napi::String::New(env, "keelson");
    napi_status status = napi_create_async_work(env, nullptr, name, execute, complete, job.get(), &job->handle_);
    if (status == napi_ok) status = napi_queue_async_work(env, job->handle_);
    if (status != napi_ok) throw Napi::Error::New(env, "Cannot queue work on the thread pool.");
    job.release();
    return promise;
  }

 private:
  /** Pool thread: must not touch N-API. */
  static void execute(napi_env, void* data) {
    auto* job = static_cast<Job*>(data);
    try {
      job->result_.emplace(job->work_());
    } catch (KernelFailure& failure) {
      job->failure_.emplace(std::move(failure));
    } catch (const std::exception& error) {
      job->failure_.emplace(KernelFailure{"work", error.what(), ENOMEM, {}});
    }
  }

  /** Loop thread: the only place where a job is freed. */
  static void complete(napi_env rawEnv, napi_status status, void* data) {
    std::unique_ptr<Job> job(static_cast<Job*>(data));
    napi_delete_async_work(rawEnv, job->handle_);
    if (status == napi_cancelled) return;
    Napi::Env env(rawEnv);
    Napi::HandleScope scope(env);
    try {
      job->settle(env);
    } catch (const Napi::Error&) {
      // The environment is ending and runs no JavaScript any more: nobody is left to be told.
    }
  }

  void settle(Napi::Env env) {
    if (failure_) return deferred_.Reject(toError(env, *failure_));
    try {
      deferred_.Resolve(deliver_(env, *result_));
    } catch (const KernelFailure& failure) {
      deferred_.Reject(toError(env, failure));
    }
  }

  Napi::Promise::Deferred deferred_;
  napi_async_work handle_ = nullptr;
  Work work_;
  Deliver deliver_;
  std::optional<Result> result_;
  std::optional<KernelFailure> failure_;
};

/** @param work runs on the pool. @param deliver makes the promise's value of the work's result, on the loop. */
template <class Work, class Deliver>
Napi::Value runOnPool(Napi::Env env, Work work, Deliver deliver) {
  return Job<Work, Deliver>::start(env, std::move(work), std::move(deliver));
}

/** The result of work that has none. */
struct Done {};

template <class Work>
Napi::Value runOnPool(Napi::Env env, Work work) {
  return runOnPool(
      env,
      [work = std::move(work)]() mutable {
        work();
        return Done{};
      },
      [](Napi::Env env, Done&) -> Napi::Value { return env.Undefined(); });
}

}  // namespace keelson

#include "watch.h"

#include "failure.h"

namespace keelson {

Watch::Watch(Environment& environment, std::function<void()> onReady, std::function<void()> onEnd)
    : environment_(environment), onReady_(std::move(onReady)), onEnd_(std::move(onEnd)) {}

Watch* Watch::start(Environment& environment, int fd, int events, bool keepsAlive, std::function<void()> onReady,
                    std::function<void()> onEnd) {
  auto* watch = new Watch(environment, std::move(onReady), std::move(onEnd));
  watch->handle_.data = watch;
  if (int status = uv_poll_init(environment.loop, &watch->handle_, fd); status < 0) {
    delete watch;
    fail("epoll_ctl", "fd " + std::to_string(fd), -status);
  }
  environment.watches.insert(watch);
  uv_poll_start(&watch->handle_, events, ready);
  watch->keepAlive(keepsAlive);
  return watch;
}

void Watch::keepAlive(bool yes) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&handle_);
  yes ? uv_ref(handle) : uv_unref(handle);
}

void Watch::stop() {
  if (stopping_) return;
  stopping_ = true;
  uv_poll_stop(&handle_);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), closed);
}

void Watch::ready(uv_poll_t* handle, int, int) {
  auto* watch = static_cast<Watch*>(handle->data);
  Napi::HandleScope handles(watch->environment_.env);
  Napi::CallbackScope callback(watch->environment_.env, watch->environment_.context);
  watch->onReady_();
}

void Watch::closed(uv_handle_t* handle) {
  auto* watch = static_cast<Watch*>(handle->data);
  watch->onEnd_();
  watch->environment_.closed(watch);
  delete watch;
}

Environment::Environment(Napi::Env owner) : env(owner), context(owner, "keelson") {
  napi_get_uv_event_loop(owner, &loop);
  napi_add_async_cleanup_hook(
      owner,
      [](napi_async_cleanup_hook_handle, void* data) {
        auto* self = static_cast<Environment*>(data);
        self->ending = true;
        const auto open = self->watches;
        for (Watch* watch : open) watch->stop();
        if (open.empty()) self->closed(nullptr);
      },
      this, &cleanup);
}

Environment::~Environment() = default;

void Environment::closed(Watch* watch) {
  watches.erase(watch);
  if (!ending || !watches.empty() || cleanup == nullptr) return;
  napi_remove_async_cleanup_hook(std::exchange(cleanup, nullptr));
}

}  // namespace keelson

/**
 * One descriptor watched by the event loop. Belongs to the loop's thread. It owns itself: `stop` closes it and frees it
 * when libuv has let go; the environment stops what is left when it ends.
 */
#pragma once
#include <functional>

#include <uv.h>

#include "environment.h"

namespace keelson {

class Watch {
 public:
  /**
   * @param events UV_READABLE, UV_PRIORITIZED
   * @param onReady runs inside a callback scope, so promises settled there go on at once
   * @param onEnd runs once, when nothing more will come: after `stop` or at the environment's end. The descriptor may
   *   be closed from then on
   * @param keepsAlive whether a pending watch keeps the process from ending
   */
  static Watch* start(Environment& environment, int fd, int events, bool keepsAlive, std::function<void()> onReady,
                      std::function<void()> onEnd);
  void stop();
  void keepAlive(bool yes);

 private:
  friend struct Environment;
  Watch(Environment& environment, std::function<void()> onReady, std::function<void()> onEnd);
  static void ready(uv_poll_t* handle, int status, int events);
  static void closed(uv_handle_t* handle);

  Environment& environment_;
  uv_poll_t handle_{};
  bool stopping_ = false;
  std::function<void()> onReady_;
  std::function<void()> onEnd_;
};

}  // namespace keelson

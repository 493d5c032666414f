/* Frames: one byte of type, four of length, payload. The same on the control socket and on the shim's own socket. */
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void frame_header(uint8_t *out, char type, uint32_t length) {
  out[0] = (uint8_t)type;
  for (int i = 0; i < 4; i++) out[1 + i] = (uint8_t)(length >> 8 * i);
}

uint32_t frame_length(const uint8_t *header) {
  return header[1] | header[2] << 8 | header[3] << 16 | (uint32_t)header[4] << 24;
}

/* Writes all of it, waiting at most a second for a reader that does not read: the agent must never hold us up. */
static void send_all(int fd, const uint8_t *data, size_t length) {
  while (length > 0) {
    ssize_t n = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      struct pollfd p = {.fd = fd, .events = POLLOUT};
      if (poll(&p, 1, 1000) == 1) continue;
    }
    if (n <= 0) return;
    data += n;
    length -= (size_t)n;
  }
}

void frame_send(int fd, char type, const void *payload, uint32_t length) {
  uint8_t buffer[FRAME_HEADER + 2048];
  if (length > 2048) length = 2048;
  frame_header(buffer, type, length);
  memcpy(buffer + FRAME_HEADER, payload, length);
  send_all(fd, buffer, FRAME_HEADER + length);
}

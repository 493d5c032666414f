/* relay.c: copies one direction between two descriptors through a bounded buffer, with back-pressure. */
#ifndef KEELSON_RELAY_H
#define KEELSON_RELAY_H
#include "shim.h"

struct relay;
struct relay_end {
  struct source source; /* must be first */
  struct relay *relay;
  int watched;
};
struct relay {
  struct relay_end from, to;
  size_t start, length;
  uint8_t buffer[16384];
};
void relay_start(struct relay *relay, int from, int to);
/* After the writer has ended: copies what is still there, waiting for the reader at most 10 s without progress. */
void relay_finish(struct relay *relay);
#endif

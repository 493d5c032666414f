/*
 * The container's log: `<time> stdout F <line>`, `P` for a part of a line over 16 KiB (the CRI's format). A line waits
 * in its stream's buffer until it is whole. Nothing here may stop the container: what cannot be written is counted.
 */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { PART = 16384, BATCH = 65536, PREFIX = 64 };

struct line {
  uint8_t bytes[PART];
  size_t length;
  int continued; /* a part of this line was written already */
};

uint64_t log_dropped_bytes;
static int log_fd = -1;
static struct line lines[2];
static uint8_t batch[BATCH];
static size_t batch_length;

void time_format(char out[40]) {
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &tm);
  size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out + n, 40 - n, ".%09ldZ", now.tv_nsec);
}

void log_open(void) {
  struct stat st;
  if (!config.log) return;
  int fd = open(config.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
  if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) close(fd), fd = -1;
  if (log_fd >= 0) close(log_fd);
  log_fd = fd;
}

/* A write that was cut short would leave half a line: it is taken back. */
static void take_back(size_t written) {
  off_t end = lseek(log_fd, 0, SEEK_END);
  if (end >= (off_t)written && ftruncate(log_fd, end - (off_t)written)) errno = 0;
}

static void flush_batch(void) {
  ssize_t n = log_fd < 0 ? -1 : write(log_fd, batch, batch_length);
  if (n > 0 && n < (ssize_t)batch_length) take_back((size_t)n);
  if (n < (ssize_t)batch_length) log_dropped_bytes += batch_length;
  batch_length = 0;
}

static void emit(int stream, const char *time, char tag) {
  struct line *line = &lines[stream];
  if (batch_length + PREFIX + line->length > BATCH) flush_batch();
  int n = snprintf((char *)batch + batch_length, PREFIX, "%s %s %c ", time, stream ? "stderr" : "stdout", tag);
  batch_length += (size_t)n;
  memcpy(batch + batch_length, line->bytes, line->length);
  batch_length += line->length;
  batch[batch_length++] = '\n';
  line->continued = tag == 'P';
  line->length = 0;
}

void log_write(int stream, const uint8_t *data, size_t length) {
  char time[40];
  struct line *line = &lines[stream];
  time_format(time);
  while (length > 0) {
    const uint8_t *newline = memchr(data, '\n', length);
    size_t take = newline ? (size_t)(newline - data) : length, space = PART - line->length;
    int full = take > space;
    if (full) take = space;
    memcpy(line->bytes + line->length, data, take);
    line->length += take;
    data += take + (newline && !full);
    length -= take + (newline && !full);
    if (full) emit(stream, time, 'P');
    else if (newline) emit(stream, time, 'F');
  }
  if (batch_length) flush_batch();
}

/* The rest of lines without a newline, when the container has ended. */
void log_end(void) {
  char time[40];
  time_format(time);
  for (int stream = 0; stream < 2; stream++)
    if (lines[stream].length || lines[stream].continued) emit(stream, time, 'F');
  if (batch_length) flush_batch();
}

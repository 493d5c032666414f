/*
 * What outlives the shim and the agent: `started.json` (to be adopted by) and `exit.json` (how it ended), written to a
 * temporary name and renamed; the exit record is fsynced, with its directory, before anybody is told. Each ends with
 * the CRC-32 of what stands before it.
 */
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint32_t crc32(const char *text, size_t length) {
  uint32_t crc = ~0U;
  for (size_t i = 0; i < length; i++) {
    crc ^= (uint8_t)text[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
  }
  return ~crc;
}

static int write_record(int dir, const char *temporary, const char *text, int durable) {
  int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return -1;
  ssize_t length = (ssize_t)strlen(text);
  int failed = write(fd, text, (size_t)length) != length || (durable && fsync(fd));
  close(fd);
  return failed ? -1 : 0;
}

static void publish(const char *name, char *text, size_t space, int durable) {
  char temporary[64];
  size_t length = strlen(text);
  snprintf(text + length, space - length, ",\"check\":\"%08x\"}\n", crc32(text, length));
  snprintf(temporary, sizeof temporary, ".%s.tmp", name);
  int dir = open(config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  if (!write_record(dir, temporary, text, durable) && !renameat(dir, temporary, dir, name) && durable) fsync(dir);
  close(dir);
}

/* Not fsynced: after a power cut nothing of it runs, and a directory without this file is a lost attempt. */
void record_attempt(void) {
  int dir = open(config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) fail("attempt", config.directory);
  if (write_record(dir, ".attempt.json.tmp", config.record, 0) || renameat(dir, ".attempt.json.tmp", dir, "attempt.json"))
    fail("attempt", "attempt.json");
  /* the mode of `upper` is the mode of the container's root */
  int made = mkdirat(dir, "upper", 0700) || fchmodat(dir, "upper", 0755, 0) ? -1 : 0;
  if (!made && config.id_base && fchownat(dir, "upper", config.id_base, config.id_base, AT_SYMLINK_NOFOLLOW)) made = -1;
  if (mkdirat(dir, "work", 0700) || made) fail("attempt", "upper");
  close(dir);
}

void record_started(pid_t pid, const char *time) {
  char text[512];
  snprintf(text, sizeof text, "{\"version\":1,\"pid\":%d,\"startTime\":%llu,\"shimPid\":%d,\"shimStartTime\":%llu,\"startedAt\":\"%s\"",
           pid, (unsigned long long)process_start_time(pid), getpid(), (unsigned long long)process_start_time(getpid()), time);
  publish("started.json", text, sizeof text, 0);
}

void record_exit(const struct ended *how, int oom_killed) {
  char text[512], time[40];
  if (config.failpoint && !strcmp(config.failpoint, "shim.beforeExitRecord=crash")) kill(getpid(), SIGKILL);
  time_format(time);
  snprintf(text, sizeof text, "{\"version\":1,\"%s\":%d,\"finishedAt\":\"%s\",\"oomKilled\":%s,\"droppedLogBytes\":%llu",
           how->code >= 0 ? "code" : "signal", how->code >= 0 ? how->code : how->signal, time, oom_killed ? "true" : "false",
           (unsigned long long)log_dropped_bytes);
  publish("exit.json", text, sizeof text, 1);
}

/* oom_kill of memory.events; 0 without the memory controller. */
int oom_kills(void) {
  char path[4200], text[512];
  snprintf(path, sizeof path, "%s/memory.events", config.cgroup);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *found = strstr(text, "oom_kill ");
  return found ? atoi(found + 9) : 0;
}

/*
 * Parser of the configuration on fd 3: magic, then records of u16 key, u32 length, value (little endian). Strings carry
 * their NUL, so they are used in place. The agent writes it, yet nothing in it is trusted: any length, count or string
 * that does not fit stops the shim with a sentence.
 */
#include "shim.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct config config;

static char *strings_argv[MAX_STRINGS + 1], *strings_env[MAX_STRINGS + 2];

enum key {
  K_OBJECT = 1, K_ARGV, K_ENV, K_CWD, K_USER, K_GROUP, K_SUPPLEMENTAL, K_LAYER, K_FLAGS, K_MOUNT, K_CAPABILITIES,
  K_SECCOMP, K_OOM, K_DIRECTORY, K_CGROUP, K_LOG, K_SOCKET, K_TARGET_PID, K_TARGET_START, K_NAMESPACES, K_RLIMIT,
  K_FAILPOINT, K_RECORD, K_ID_BASE,
};

struct value {
  const uint8_t *bytes;
  uint32_t length;
};

static uint32_t u32_at(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }
static uint64_t u64_at(const uint8_t *p) { return u32_at(p) | (uint64_t)u32_at(p + 4) << 32; }

/* A string is one NUL-terminated run of bytes without another NUL. */
static const char *read_string(struct value v, const char **out) {
  if (v.length == 0 || memchr(v.bytes, 0, v.length) != v.bytes + v.length - 1) return "a string is not terminated";
  *out = (const char *)v.bytes;
  return NULL;
}

static const char *read_u32(struct value v, uint32_t *out) {
  if (v.length != 4) return "a number does not have 4 bytes";
  *out = u32_at(v.bytes);
  return NULL;
}

static const char *read_u64(struct value v, uint64_t *out) {
  if (v.length != 8) return "a number does not have 8 bytes";
  *out = u64_at(v.bytes);
  return NULL;
}

static const char *read_list(struct value v, char **list, int *count) {
  if (*count >= MAX_STRINGS) return "too many arguments or variables";
  const char *text, *wrong = read_string(v, &text);
  if (!wrong) list[(*count)++] = (char *)text;
  return wrong;
}

static const char *read_layer(struct value v) {
  if (config.layer_count >= MAX_LAYERS) return "too many layers";
  return read_string(v, &config.layers[config.layer_count++]);
}

static const char *read_group(struct value v) {
  if (config.group_count >= MAX_GROUPS) return "too many groups";
  return read_u32(v, &config.groups[config.group_count++]);
}

static const char *read_mount(struct value v) {
  if (config.mount_count >= MAX_MOUNTS) return "too many mounts";
  if (v.length < 6) return "a mount is too short";
  struct bind *m = &config.mounts[config.mount_count++];
  m->flags = u32_at(v.bytes);
  m->tree = -1;
  const uint8_t *source = v.bytes + 4, *end = memchr(source, 0, v.length - 4);
  if (!end) return "a mount has no source";
  const char *wrong = read_string((struct value){source, (uint32_t)(end - source) + 1}, &m->source);
  if (wrong) return wrong;
  return read_string((struct value){end + 1, v.length - 4 - (uint32_t)(end + 1 - source)}, &m->target);
}

static const char *read_limit(struct value v) {
  if (config.limit_count >= MAX_RLIMITS) return "too many limits";
  if (v.length != 20) return "a limit does not have 20 bytes";
  config.limits[config.limit_count++] = (struct limit){u32_at(v.bytes), u64_at(v.bytes + 4), u64_at(v.bytes + 12)};
  return NULL;
}

static const char *read_seccomp(struct value v) {
  if (v.length == 0 || v.length % 8 || v.length / 8 > 4096) return "the seccomp program has a wrong size";
  config.seccomp = v.bytes;
  config.seccomp_bytes = v.length;
  return NULL;
}

static const char *read_record(uint16_t key, struct value v) {
  switch (key) {
    case K_OBJECT: return read_string(v, &config.object);
    case K_ARGV: return read_list(v, strings_argv, &config.argc);
    case K_ENV: return read_list(v, strings_env, &config.envc);
    case K_CWD: return read_string(v, &config.cwd);
    case K_USER: return read_string(v, &config.user);
    case K_GROUP: config.has_group = 1; return read_u32(v, &config.group);
    case K_SUPPLEMENTAL: return read_group(v);
    case K_LAYER: return read_layer(v);
    case K_FLAGS: return read_u32(v, &config.flags);
    case K_MOUNT: return read_mount(v);
    case K_CAPABILITIES: return read_u64(v, &config.capabilities);
    case K_SECCOMP: return read_seccomp(v);
    case K_OOM: return read_u32(v, (uint32_t *)&config.oom_score_adj);
    case K_DIRECTORY: return read_string(v, &config.directory);
    case K_CGROUP: return read_string(v, &config.cgroup);
    case K_LOG: return read_string(v, &config.log);
    case K_SOCKET: return read_string(v, &config.socket);
    case K_TARGET_PID: return read_u32(v, &config.target_pid);
    case K_TARGET_START: return read_u64(v, &config.target_start);
    case K_NAMESPACES: return read_u32(v, &config.namespaces);
    case K_RLIMIT: return read_limit(v);
    case K_RECORD: return read_string(v, &config.record);
    case K_ID_BASE: return read_u32(v, &config.id_base);
    case K_FAILPOINT: return read_string(v, &config.failpoint);
    default: return "an unknown key";
  }
}

static const char *read_records(const uint8_t *p, const uint8_t *end) {
  while (p < end) {
    if (end - p < 6) return "a record is cut off";
    uint16_t key = (uint16_t)(p[0] | p[1] << 8);
    uint32_t length = u32_at(p + 2);
    p += 6;
    if (length > (size_t)(end - p)) return "a value is cut off";
    const char *wrong = read_record(key, (struct value){p, length});
    if (wrong) return wrong;
    p += length;
  }
  return NULL;
}

static const char *check_complete(void) {
  if (config.argc == 0) return "no command";
  if (!config.object || !config.cwd || !config.user || !config.cgroup) return "object, cwd, user or cgroup is missing";
  if (config.cwd[0] != '/') return "the working directory is not absolute";
  return NULL;
}

const char *config_read(int fd) {
  struct stat st;
  if (fstat(fd, &st) || st.st_size < 8 || st.st_size > 8 << 20) return "it is not a file of 8 bytes to 8 MiB";
  const uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return "it cannot be mapped";
  if (memcmp(map, "KSHIM01\n", 8)) return "it does not start with KSHIM01";
  config.argv = strings_argv;
  config.env = strings_env;
  const char *wrong = read_records(map + 8, map + st.st_size);
  return wrong ? wrong : check_complete();
}

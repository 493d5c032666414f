/*
 * Who the container runs as. `uid`, `uid:gid`, `name`, `name:group`; names are looked up in the container's own
 * /etc/passwd and /etc/group, which the image wrote: regular files only, at most 10 MiB, lines of at most 4 KiB. Digits
 * are a number in 0..2^31-1 or an error, never a name (CVE-2024-40635, CVE-2026-46680).
 */
#include "shim.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT (10 << 20)

/* Returns 1 if text is all digits (value in *out), 0 if it is a name; a number out of range fails. */
static int parse_number(const char *text, uint32_t *out) {
  if (!*text || text[strspn(text, "0123456789")]) return 0;
  unsigned long long value = strlen(text) > 10 ? ~0ULL : strtoull(text, NULL, 10);
  if (value > 0x7fffffff) fail_with("user-range", ERANGE, text);
  *out = (uint32_t)value;
  return 1;
}

static FILE *open_database(const char *path) {
  struct stat st;
  int fd = x_openat2(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, X_RESOLVE_NO_MAGICLINKS);
  if (fd < 0) return NULL;
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT) return close(fd), NULL;
  return fdopen(fd, "re");
}

/* Splits at colons, in place. Returns how many fields there were (at most `most`). */
static int split(char *line, char **fields, int most) {
  int count = 0;
  line[strcspn(line, "\n")] = 0;
  for (char *p = line; p && count < most; count++) {
    fields[count] = p;
    p = strchr(p, ':');
    if (p) *p++ = 0;
  }
  return count;
}

struct wanted {
  const char *name; /* or NULL: by number */
  uint32_t number;
};

static int matches(const struct wanted *wanted, const char *name, uint32_t number) {
  return wanted->name ? !strcmp(wanted->name, name) : wanted->number == number;
}

/* A number in an image's file that is none makes the line count for nothing. */
static int field_number(const char *text, uint32_t *out) {
  if (!*text || strlen(text) > 10 || text[strspn(text, "0123456789")]) return 0;
  unsigned long long value = strtoull(text, NULL, 10);
  *out = (uint32_t)value;
  return value <= 0x7fffffff;
}

static int find_user(const struct wanted *wanted, struct identity *who, char *name, size_t space) {
  char line[4096], *f[7];
  FILE *file = open_database("/etc/passwd");
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file)) {
    uint32_t uid, gid;
    if (split(line, f, 7) < 6 || !field_number(f[2], &uid) || !field_number(f[3], &gid) || !matches(wanted, f[0], uid)) continue;
    who->uid = uid;
    who->gid = gid;
    snprintf(name, space, "%s", f[0]);
    snprintf(who->home, sizeof who->home, "%s", f[5][0] == '/' ? f[5] : "/");
    found = 1;
  }
  if (file) fclose(file);
  return found;
}

static int find_group(const char *name, uint32_t *gid) {
  char line[4096], *f[4];
  FILE *file = open_database("/etc/group");
  int found = 0;
  while (file && !found && fgets(line, sizeof line, file))
    found = split(line, f, 4) >= 3 && !strcmp(f[0], name) && field_number(f[2], gid);
  if (file) fclose(file);
  return found;
}

static void add_group(struct identity *who, uint32_t gid) {
  for (int i = 0; i < who->group_count; i++)
    if (who->groups[i] == gid) return;
  if (who->group_count < (int)(sizeof who->groups / sizeof *who->groups)) who->groups[who->group_count++] = gid;
}

static int is_member(char *list, const char *name) {
  for (char *member = strtok(list, ","); member; member = strtok(NULL, ","))
    if (!strcmp(member, name)) return 1;
  return 0;
}

/* The groups that the image says the user is in (CVE-2023-25173: they must not be lost). */
static void add_memberships(struct identity *who, const char *name) {
  char line[4096], *f[4];
  FILE *file = open_database("/etc/group");
  while (file && fgets(line, sizeof line, file)) {
    uint32_t gid;
    if (split(line, f, 4) == 4 && field_number(f[2], &gid) && is_member(f[3], name)) add_group(who, gid);
  }
  if (file) fclose(file);
}

static void choose_group(struct identity *who, const char *text) {
  if (text && !parse_number(text, &who->gid) && !find_group(text, &who->gid)) fail_with("group", ENOENT, text);
  if (config.has_group) who->gid = config.group;
}

void user_lookup(struct identity *who) {
  char text[256], name[256] = "";
  snprintf(text, sizeof text, "%s", config.user);
  char *group = strchr(text, ':');
  if (group) *group++ = 0;
  *who = (struct identity){.home = "/"};
  struct wanted wanted = {.name = NULL};
  if (*text && !parse_number(text, &wanted.number)) wanted.name = text;
  int found = find_user(&wanted, who, name, sizeof name);
  if (!found && wanted.name) fail_with("user", ENOENT, text);
  if (!found) who->uid = wanted.number;
  choose_group(who, group && *group ? group : NULL);
  add_group(who, who->gid);
  for (int i = 0; i < config.group_count; i++) add_group(who, config.groups[i]);
  if (found && !(config.flags & FLAG_STRICT_GROUPS)) add_memberships(who, name);
  if (config.flags & FLAG_NON_ROOT && who->uid == 0) fail_with("nonroot", EPERM, config.user);
}

/*
 * Giving up power, in the order that matters: no_new_privs, seccomp (while CAP_SYS_ADMIN is still there), bounding set,
 * groups, user, then the capability sets with an empty inheritable set (CVE-2022-24769). execve computes the rest: a
 * user other than root starts with none effective.
 */
#include "shim.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void install_seccomp(void) {
  if (!config.seccomp) return;
  struct x_sock_fprog program = {.length = (unsigned short)(config.seccomp_bytes / 8), .filter = config.seccomp};
  if (syscall(SYS_seccomp, X_SECCOMP_SET_MODE_FILTER, 0, &program)) fail("seccomp", NULL);
}

static void drop_bounding(void) {
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
    if (!(config.capabilities >> cap & 1) && prctl(PR_CAPBSET_DROP, cap)) fail("capabilities", "bounding set");
}

static void become(const struct identity *who) {
  if (prctl(PR_SET_KEEPCAPS, 1)) fail("capabilities", "keep");
  if (syscall(SYS_setgroups, who->group_count, who->groups)) fail("setgroups", NULL);
  if (syscall(SYS_setresgid, who->gid, who->gid, who->gid)) fail("setgid", NULL);
  if (syscall(SYS_setresuid, who->uid, who->uid, who->uid)) fail("setuid", NULL);
}

static void set_capabilities(void) {
  struct x_cap_header header = {.version = X_CAPABILITY_VERSION_3};
  struct x_cap_data now[2], want[2];
  if (syscall(SYS_capget, &header, now)) fail("capabilities", "get");
  for (int i = 0; i < 2; i++) {
    /* what this kernel or this agent does not have cannot be given */
    uint32_t have = now[i].permitted & (uint32_t)(config.capabilities >> 32 * i);
    want[i] = (struct x_cap_data){.permitted = have, .effective = have, .inheritable = 0};
  }
  if (syscall(SYS_capset, &header, want)) fail("capabilities", "set");
}

void confine(const struct identity *who) {
  if (config.flags & FLAG_NO_NEW_PRIVS && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no_new_privs", NULL);
  install_seccomp();
  drop_bounding();
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  become(who);
  set_capabilities();
}

static rlim_t at_most(uint64_t wanted, rlim_t limit) { return wanted < limit ? wanted : limit; }

/* Never above what this process has: raising that needs CAP_SYS_RESOURCE. */
void limits_apply(void) {
  for (int i = 0; i < config.limit_count; i++) {
    const struct limit *l = &config.limits[i];
    struct rlimit value;
    if (getrlimit((int)l->resource, &value)) fail("getrlimit", NULL);
    value.rlim_max = at_most(l->hard, value.rlim_max);
    value.rlim_cur = at_most(l->soft, value.rlim_max);
    if (setrlimit((int)l->resource, &value)) fail("setrlimit", NULL);
  }
}

/*
 * The floor under createSandbox + vethAttach: the same system calls from a bare C program. It is a yardstick, so it
 * checks every call and does nothing else. Commands on standard input, one answer line each, in microseconds:
 *
 *   create NAME IP   → "<sandbox> <veth>"   cgroup CGROUP/NAME, pause in new net, ipc and uts namespaces, lo up;
 *                                            then veth NAME on BRIDGE, eth0 with IP/16 and a default route
 *   destroy          → "<kill, reap and rmdir>"
 *
 * usage: sandbox-floor PAUSE CGROUP BRIDGE GATEWAY
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}
static long check(long result, const char *what) {
  if (result < 0) die(what);
  return result;
}
static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* --- netlink: a buffer of messages --- */
static char out[8192];
static size_t used;
static int sequence;

static struct nlmsghdr *begin(int type, int flags, const void *header, size_t size) {
  struct nlmsghdr *message = (void *)(out + used);
  memset(message, 0, NLMSG_SPACE(size));
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  message->nlmsg_seq = ++sequence;
  memcpy(NLMSG_DATA(message), header, size);
  used += NLMSG_SPACE(size);
  return message;
}
static struct nlattr *put(int type, const void *value, size_t size) {
  struct nlattr *attribute = (void *)(out + used);
  attribute->nla_type = type;
  attribute->nla_len = NLA_HDRLEN + size;
  if (size) memcpy((char *)attribute + NLA_HDRLEN, value, size);
  used += NLA_ALIGN(attribute->nla_len);
  return attribute;
}
static void put32(int type, uint32_t value) { put(type, &value, 4); }
static void puts0(int type, const char *text) { put(type, text, strlen(text) + 1); }
static void close_attribute(struct nlattr *nest) { nest->nla_len = out + used - (char *)nest; }
static void close_message(struct nlmsghdr *message) { message->nlmsg_len = out + used - (char *)message; }

/* Sends what was begun and waits for `acks`; the body of an RTM_NEWLINK answer goes to `link`. */
static void exchange(int fd, int acks, struct ifinfomsg *link) {
  static char in[32768];
  check(send(fd, out, used, 0), "send");
  used = 0;
  while (acks > 0) {
    ssize_t size = check(recv(fd, in, sizeof in, 0), "recv");
    for (struct nlmsghdr *m = (void *)in; NLMSG_OK(m, size); m = NLMSG_NEXT(m, size)) {
      if (m->nlmsg_type == RTM_NEWLINK && link) memcpy(link, NLMSG_DATA(m), sizeof *link);
      if (m->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
      if (errno) die("netlink");
      acks--;
    }
  }
}
static int open_netlink(void) { return check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket"); }

/* --- the sandbox --- */
static int pause_fd, own_netns, node_socket;
static const char *cgroup_root, *bridge, *gateway;
static char cgroup[256];
static int pidfd = -1;
static pid_t pid;

static void load_pause(const char *path) {
  static char program[1 << 22];
  int file = check(open(path, O_RDONLY), path);
  ssize_t size = check(read(file, program, sizeof program), path);
  pause_fd = check(memfd_create("pause", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  check(write(pause_fd, program, size), "write");
  check(fcntl(pause_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "seal");
  close(file);
}

static int child(void *unused) {
  (void)unused;
  struct ifreq lo = {.ifr_name = "lo"};
  char *argv[] = {"pause", NULL}, *envp[] = {NULL};
  lo.ifr_flags = IFF_UP | IFF_RUNNING;
  setsid();
  sethostname("floor", 5);
  if (ioctl(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &lo) < 0) _exit(126);
  execveat(pause_fd, "", argv, envp, AT_EMPTY_PATH);
  _exit(127);
}

static pid_t clone_child(struct clone_args *args) {
  long result = SYS_clone3;
  register int (*run)(void *) asm("r12") = child;
  asm volatile("syscall; test %%rax,%%rax; jnz 1f; xor %%edi,%%edi; call *%%r12; hlt; 1:"
               : "+a"(result)
               : "D"(args), "S"(sizeof *args), "r"(run)
               : "rcx", "r11", "memory");
  errno = -result;
  return result < 0 ? -1 : result;
}

static void create_sandbox(const char *name) {
  static char stack[65536] __attribute__((aligned(16)));
  snprintf(cgroup, sizeof cgroup, "%s/%s", cgroup_root, name);
  check(mkdir(cgroup, 0755), cgroup);
  int directory = check(open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC), cgroup);
  struct clone_args args = {
      .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
      .pidfd = (uint64_t)&pidfd,
      .exit_signal = SIGCHLD,
      .stack = (uint64_t)stack,
      .stack_size = sizeof stack,
      .cgroup = directory,
  };
  pid = check(clone_child(&args), "clone3");
  close(directory);
}

static void attach_veth(const char *name, const char *ip) {
  char path[64];
  struct ifinfomsg header = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0}, found = {0};
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  int netns = check(open(path, O_RDONLY | O_CLOEXEC), path);

  struct nlmsghdr *m = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
  puts0(IFLA_IFNAME, name);
  put32(IFLA_MASTER, if_nametoindex(bridge));
  struct nlattr *info = put(IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
  puts0(IFLA_INFO_KIND, "veth");
  struct nlattr *data = put(IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
  struct nlattr *peer_nest = put(VETH_INFO_PEER | NLA_F_NESTED, NULL, 0);
  memcpy(out + used, &peer, sizeof peer);
  used += NLMSG_ALIGN(sizeof peer);
  puts0(IFLA_IFNAME, "eth0");
  put32(IFLA_NET_NS_FD, netns);
  close_attribute(peer_nest);
  close_attribute(data);
  close_attribute(info);
  close_message(m);
  exchange(node_socket, 1, NULL);

  check(setns(netns, CLONE_NEWNET), "setns");
  int inside = open_netlink();
  check(setns(own_netns, CLONE_NEWNET), "setns back");
  m = begin(RTM_GETLINK, 0, &peer, sizeof peer);
  puts0(IFLA_IFNAME, "eth0");
  close_message(m);
  exchange(inside, 1, &found);

  struct ifinfomsg up = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  close_message(begin(RTM_NEWLINK, 0, &up, sizeof up));
  up.ifi_index = found.ifi_index;
  close_message(begin(RTM_NEWLINK, 0, &up, sizeof up));
  struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = found.ifi_index};
  uint32_t value = inet_addr(ip);
  m = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
  put(IFA_LOCAL, &value, 4);
  put(IFA_ADDRESS, &value, 4);
  close_message(m);
  struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
  value = inet_addr(gateway);
  m = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  put(RTA_GATEWAY, &value, 4);
  put32(RTA_OIF, found.ifi_index);
  close_message(m);
  exchange(inside, 4, NULL);
  close(inside);
  close(netns);
}

static void destroy(void) {
  siginfo_t info;
  check(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), "kill");
  check(waitid(P_PIDFD, pidfd, &info, WEXITED), "waitid");
  close(pidfd);
  check(rmdir(cgroup), "rmdir");
}

int main(int argc, char **argv) {
  char line[256], name[64], ip[64];
  if (argc != 5) {
    fprintf(stderr, "usage: %s PAUSE CGROUP BRIDGE GATEWAY\n", argv[0]);
    return 2;
  }
  load_pause(argv[1]);
  cgroup_root = argv[2];
  bridge = argv[3];
  gateway = argv[4];
  own_netns = check(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "own netns");
  node_socket = open_netlink();
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "create %63s %63s", name, ip) == 2) {
      double start = now_us();
      create_sandbox(name);
      double middle = now_us();
      attach_veth(name, ip);
      printf("%.1f %.1f\n", middle - start, now_us() - middle);
    } else if (strncmp(line, "destroy", 7) == 0) {
      double start = now_us();
      destroy();
      printf("%.1f\n", now_us() - start);
    }
  }
  return 0;
}

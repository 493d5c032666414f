/* `run`: creates one container and stays with it. The child's way from clone3 to execve reads from top to bottom here. */
#include "shim.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct stdio {
  int inside[3]; /* the container's ends */
  int in, out, err; /* ours; -1 if there is none */
};

static void make_pipe(int *reader, int *writer) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC)) fail("pipe", NULL);
  *reader = fds[0];
  *writer = fds[1];
}

static void open_stdio(struct stdio *io) {
  *io = (struct stdio){.inside = {-1, -1, -1}, .in = -1, .out = -1, .err = -1};
  if (config.flags & FLAG_TTY) return;
  if (config.flags & FLAG_STDIN) make_pipe(&io->inside[0], &io->in);
  else io->inside[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  make_pipe(&io->out, &io->inside[1]);
  make_pipe(&io->err, &io->inside[2]);
}

static void give_inside(struct stdio *io) {
  for (int i = 0; i < 3; i++)
    if (io->inside[i] >= 0) userns_give(io->inside[i]);
}

static void close_inside(struct stdio *io) {
  for (int i = 0; i < 3; i++)
    if (io->inside[i] >= 0) close(io->inside[i]);
}

static void enter_namespaces(int target) {
  int wanted = (int)config.namespaces & ~X_CLONE_NEWPID;
  if (wanted && setns(target, wanted)) fail("setns", "pod");
  /* only now, in its own cgroup, is that cgroup the root of the new namespace */
  if (unshare(X_CLONE_NEWCGROUP)) fail("unshare", "cgroup");
}

static void make_root_read_only(int root) {
  struct x_mount_attr attr = {.attr_set = X_MOUNT_ATTR_RDONLY};
  if (x_mount_setattr(root, 0, &attr)) fail("mount_setattr", "rootfs");
}

static void enter_root(int root) {
  if (fchdir(root)) fail("chdir", "rootfs");
  if (syscall(SYS_pivot_root, ".", ".")) fail("pivot_root", "rootfs");
  if (umount2(".", MNT_DETACH)) fail("umount", "old root");
  if (chdir("/")) fail("chdir", "/");
}

/* What was made by the node's root is put where that left us: onto the working directory. */
static int attach_root(int overlay) {
  if (x_move_mount(overlay, AT_FDCWD)) fail("move_mount(rootfs)", config.directory);
  return overlay;
}

/* overlay: made already, or -1 */
static void build_file_system(int overlay) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) fail("mount(MS_PRIVATE)", "/");
  int root = overlay < 0 ? rootfs_mount() : attach_root(overlay);
  mounts_standard(root);
  volumes_attach(root);
  int cwd = make_in_root(root, config.cwd, 1);
  if (cwd < 0) fail("cwd", config.cwd);
  close(cwd);
  if (config.flags & FLAG_READONLY_ROOT) make_root_read_only(root);
  enter_root(root);
  close(root);
  if (config.flags & FLAG_MASK) mask_apply();
}

static void open_terminal(int status_fd, struct stdio *io, const struct identity *who) {
  int slave, master = pty_open(&slave, who);
  pty_control(slave);
  mounts_console(slave);
  status_pty(status_fd, master);
  for (int i = 0; i < 3; i++) io->inside[i] = slave;
}

/*
 * Into the pod's user namespace, from which there is no way back: what only the node's root can do is done before, and
 * mounts, processes and cgroups are then a namespace's that it owns. A process namespace begins with a child of ours,
 * which becomes our parent's. Returns in that child.
 */
static void enter_user_namespace(int status_fd, int target) {
  int pids = config.flags & FLAG_SHARE_PID ? 0 : X_CLONE_NEWPID;
  if (chdir(config.directory)) fail("chdir", config.directory);
  if (setns(target, (int)config.namespaces | X_CLONE_NEWUSER)) fail("setns", "pod user");
  userns_become_root();
  if (!pids && setns(target, X_CLONE_NEWPID)) fail("setns", "pod pid");
  if (unshare(X_CLONE_NEWNS | X_CLONE_NEWCGROUP | pids)) fail("unshare", "mount, cgroup, pid");
  struct x_clone_args args = {.flags = X_CLONE_PARENT};
  long pid = x_clone3(&args);
  if (pid < 0) fail("clone3", "user namespace");
  if (pid == 0) return;
  status_successor(status_fd, (pid_t)pid);
  _exit(0);
}

static int enter_pod(int status_fd, int target) {
  if (!config.id_base) return enter_namespaces(target), -1;
  int overlay = rootfs_make();
  enter_user_namespace(status_fd, target);
  return overlay;
}

static _Noreturn void child(int status_fd, int target, struct stdio *io) {
  struct identity who;
  fail_to_parent(status_fd);
  umask(0);
  oom_score_set(config.oom_score_adj);
  int overlay = enter_pod(status_fd, target);
  if (setsid() < 0) fail("setsid", NULL);
  build_file_system(overlay);
  user_lookup(&who);
  if (config.flags & FLAG_TTY) open_terminal(status_fd, io, &who);
  launch(status_fd, io->inside, &who);
}

static uint64_t clone_flags(int target) {
  if (config.id_base) return 0;
  if (config.flags & FLAG_SHARE_PID) {
    if (setns(target, X_CLONE_NEWPID)) fail("setns", "pod pid");
    return X_CLONE_NEWNS;
  }
  return X_CLONE_NEWNS | (config.flags & FLAG_HOST_PID ? 0 : X_CLONE_NEWPID);
}

/* The child died before it could say anything: most often SIGKILL from a cgroup that has been killed before. */
static _Noreturn void report_silent_death(pid_t pid) {
  int status = 0;
  char text[64];
  waitpid(pid, &status, 0);
  snprintf(text, sizeof text, "%s %d", WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  fail_with("setup", ECHILD, text);
}

static void check_launch(pid_t pid, const struct launch_result *result) {
  if (result->failed) {
    frame_send(CONTROL_FD, 'f', result->failure, (uint32_t)strlen(result->failure));
    waitpid(pid, NULL, 0);
    if (config.socket) unlink(config.socket);
    _exit(1);
  }
  if (!result->executing) report_silent_death(pid);
}

static void report_started(pid_t pid) {
  char text[128], time[40];
  time_format(time);
  int n = snprintf(text, sizeof text, "%d %llu %s", pid, (unsigned long long)process_start_time(pid), time);
  record_started(pid, time);
  frame_send(CONTROL_FD, 's', text, (uint32_t)n);
  close(CONTROL_FD);
}

static void prepare_self(void) {
  umask(077);
  setsid();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1)) fail("subreaper", NULL);
  oom_score_set(-998);
  if (!config.directory || !config.socket || !config.record || !config.layer_count)
    fail_with("config", EINVAL, "directory, socket, record or layers are missing");
}

int run_main(void) {
  struct stdio io;
  struct launch_result result;
  int status[2], pidfd;
  prepare_self();
  record_attempt();
  log_open();
  clients_listen();
  int target = target_open();
  userns_open();
  volumes_open();
  open_stdio(&io);
  give_inside(&io);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status)) fail("socketpair", NULL);
  pid_t pid = clone_into(clone_flags(target), &pidfd);
  if (pid == 0) child(status[1], target, &io);
  close(status[1]), close(target);
  volumes_close();
  close_inside(&io);
  status_wait(status[0], &result);
  if (result.pid) {
    waitpid(pid, NULL, 0);
    pid = result.pid;
  }
  check_launch(pid, &result);
  close(status[0]), close(pidfd);
  report_started(pid);
  if (io.in >= 0) stdin_use(io.in, 0);
  supervise(pid, io.out, io.err, result.pty);
  return 0;
}

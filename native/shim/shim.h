/*
 * The shim: parent of one container (`run`), or helper that runs one command inside a container (`exec`). This header is
 * its table of contents: what each file offers the others. Single-threaded throughout; nothing here is re-entrant.
 */
#ifndef KEELSON_SHIM_H
#define KEELSON_SHIM_H

#include "sys.h"

/* Inherited descriptors (SpawnSpec in native/types.ts). */
enum { CONFIG_FD = 3, CONTROL_FD = 4, EXEC_STDIN_FD = 5, EXEC_STDOUT_FD = 6, EXEC_STDERR_FD = 7 };

/* ---- config.c: what is to be done; the one parser of agent/containers/encode.ts ---- */
enum {
  FLAG_READONLY_ROOT = 1,
  FLAG_PRIVILEGED = 2,
  FLAG_NO_NEW_PRIVS = 4,
  FLAG_TTY = 8,
  FLAG_STDIN = 16,
  FLAG_STDIN_ONCE = 32,
  FLAG_MASK = 64,
  FLAG_SHARE_PID = 128,
  FLAG_NON_ROOT = 256,
  FLAG_HOST_PID = 512,
  FLAG_STRICT_GROUPS = 1024,
};
enum { MOUNT_READ_ONLY = 1, MOUNT_SLAVE = 2, MOUNT_SHARED = 4, MOUNT_RECURSIVE = 8 };
enum { MAX_MOUNTS = 512, MAX_LAYERS = 128, MAX_GROUPS = 1024, MAX_STRINGS = 8192, MAX_RLIMITS = 16 };

struct bind {
  uint32_t flags;
  const char *source, *target;
  int tree; /* open_tree clone, or -1 */
};
struct limit {
  uint32_t resource;
  uint64_t soft, hard;
};
struct config {
  const char *object, *cwd, *user, *directory, *cgroup, *log, *socket, *failpoint, *record;
  char **argv, **env; /* NULL-terminated */
  int argc, envc;
  uint32_t flags, namespaces, group;
  int has_group, oom_score_adj;
  uint32_t groups[MAX_GROUPS];
  int group_count;
  const char *layers[MAX_LAYERS];
  int layer_count;
  struct bind mounts[MAX_MOUNTS];
  int mount_count;
  struct limit limits[MAX_RLIMITS];
  int limit_count;
  uint32_t id_base; /* the node's ID that is 0 in the pod's user namespace; 0: it has none */
  uint64_t capabilities;
  const uint8_t *seccomp;
  size_t seccomp_bytes;
  uint32_t target_pid;
  uint64_t target_start;
};
extern struct config config;
/* Reads fd 3. Returns NULL, or what is wrong with it. */
const char *config_read(int fd);

/* ---- fail.c: every failure has a step, an errno and a path, and ends the process that had it ---- */
/* Failures go to the agent (control frame `f`) until fail_to_parent(); then through the status socket to the shim. */
void fail_to_parent(int status_fd);
_Noreturn void fail(const char *step, const char *path);
_Noreturn void fail_with(const char *step, int error, const char *path);

/* ---- frame.c: type, u32 length (little endian), payload; on the control socket and on the shim's own socket ---- */
enum { FRAME_HEADER = 5, FRAME_MAX = 65536 };
void frame_header(uint8_t *out, char type, uint32_t length);
uint32_t frame_length(const uint8_t *header);
/* Blocking best effort; a closed peer is no error. */
void frame_send(int fd, char type, const void *payload, uint32_t length);

/* ---- process.c ---- */
/* Start time of a process (field 22 of /proc/PID/stat), 0 if it is gone. */
uint64_t process_start_time(pid_t pid);
/* pidfd of the configured target, its start time verified. */
int target_open(void);
/* clone3 into the container's cgroup with `flags`; fork-like: 0 in the child. */
pid_t clone_into(uint64_t flags, int *pidfd);
void cgroup_write(const char *file, const char *text);
void oom_score_set(int score);

/* ---- status.c: the close-on-exec socket between child and shim ---- */
struct launch_result {
  int pty; /* master, or -1 */
  int executing; /* the child reached execve */
  pid_t pid; /* of the child's child, if the child made one in its place */
  int failed; /* `failure` is filled in */
  char failure[1400];
};
void status_pty(int status_fd, int master);
void status_executing(int status_fd);
/* Says who goes on in our place. */
void status_successor(int status_fd, pid_t pid);
void status_wait(int status_fd, struct launch_result *result);

/* ---- paths.c ---- */
int open_in_root(int root, const char *path, int flags);
/* Opens path below root, making missing directories (or a file at the end). O_PATH. */
int make_in_root(int root, const char *path, int is_directory);

/* ---- rootfs.c, mounts.c, volumes.c, mask.c: the container's file system ---- */
/* An overlay mount that is attached nowhere yet. */
int rootfs_make(void);
int rootfs_mount(void);
int filesystem_mount(const char *type, const char *const *options, unsigned attributes);
void mounts_standard(int root);
void mounts_console(int slave);
void volumes_open(void);
void volumes_attach(int root);
void volumes_close(void);
void mask_apply(void);

/* ---- userns.c: a pod's own user namespace (config.id_base) ---- */
void userns_open(void);
/* Shows a detached mount with the pod's IDs: what is root's on disk is root's inside. */
void userns_map(int tree, const char *path);
/* A pipe that root inside is to hand on must be its own. */
void userns_give(int fd);
/* Root of the pod's namespaces, owned by its user namespace, and of nothing else; ours is left for ever. */
void userns_become_root(void);

/* ---- user.c, confine.c, launch.c, pty.c ---- */
struct identity {
  uint32_t uid, gid;
  uint32_t groups[MAX_GROUPS + 64];
  int group_count;
  char home[512];
};
void user_lookup(struct identity *who);
void confine(const struct identity *who);
void limits_apply(void);
/* Takes stdio as given, becomes the user, confines itself and executes argv. */
_Noreturn void launch(int status_fd, const int stdio[3], const struct identity *who);
int pty_open(int *slave, const struct identity *who);
void pty_control(int slave);
void pty_resize(int master, unsigned columns, unsigned rows);

/* ---- log.c: CRI log file ---- */
void log_open(void);
void log_write(int stream, const uint8_t *data, size_t length);
void log_end(void);
extern uint64_t log_dropped_bytes;
void time_format(char out[40]);

/* ---- loop.c: epoll ---- */
struct source {
  int fd;
  void (*ready)(struct source *self, uint32_t events);
};
void loop_add(struct source *source, uint32_t events);
void loop_change(struct source *source, uint32_t events);
void loop_remove(struct source *source);
void loop_run(void);
void loop_stop(void);
void set_nonblocking(int fd);

/* ---- clients.c: the shim's socket ---- */
void clients_listen(void);
void clients_output(int stream, const uint8_t *data, size_t length);
void clients_exit(int code, int signal);
/* The container's stdin: write end of its pipe, or the pty master. */
void stdin_use(int fd, int is_pty);
void stdin_close(void);

/* ---- supervise.c, record.c, run.c, exec.c ---- */
struct ended {
  int code; /* -1: by signal */
  int signal;
};
void supervise(pid_t pid, int out, int err, int pty);
/* attempt.json, as the agent composed it; and the directories of the writable layer. */
void record_attempt(void);
void record_started(pid_t pid, const char *time);
void record_exit(const struct ended *how, int oom_killed);
int oom_kills(void);
int run_main(void);
int exec_main(void);

#endif

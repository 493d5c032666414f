/*
 * The container's terminal: opened in the container's own devpts (/dev/pts/ptmx), verified to be one, its other end
 * taken by TIOCGPTPEER so that no name is looked up (CVE-2025-52565).
 */
#include "shim.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int pty_open(int *slave, const struct identity *who) {
  struct statfs fs;
  int unlock = 0, master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
  if (master < 0 || fstatfs(master, &fs)) fail("pty", "/dev/pts/ptmx");
  if (fs.f_type != X_DEVPTS_SUPER_MAGIC) fail_with("pty", ENODEV, "/dev/pts/ptmx");
  if (ioctl(master, TIOCSPTLCK, &unlock)) fail("pty", "unlock");
  *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*slave < 0) fail("pty", "peer");
  if (fchown(*slave, who->uid, 5) || fchmod(*slave, 0620)) fail("pty", "owner");
  pty_resize(master, 80, 24);
  return master;
}

/* The caller leads a session of its own. */
void pty_control(int slave) {
  if (ioctl(slave, TIOCSCTTY, 0)) fail("pty", "TIOCSCTTY");
}

void pty_resize(int master, unsigned columns, unsigned rows) {
  struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
  ioctl(master, TIOCSWINSZ, &size);
}

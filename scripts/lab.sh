#!/usr/bin/env bash
# VMs with Debian's own kernel, cgroup v2 and ip_vs, on this machine's root filesystem (read-only, under an overlay: no
# image is built). QEMU without KVM, so about ten times slower than the host. `npm run lab -- --help` says what there is.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$root/scripts/lab/kernel.sh"
. "$root/scripts/lab/vm.sh"
. "$root/scripts/lab/tier.sh"
lab="$cache/lab"

usage() {
  cat <<'TEXT'
npm run lab                       a shell in a VM; leave with `exit`
npm run lab -- run COMMAND…       one command in a VM; ends with its exit code
npm run lab -- nodes [N] [COMMAND…]
                                  N VMs (2 to 5; default 2) on an Ethernet of their own: a shell, or COMMAND, in the first.
                                  They are 192.168.77.1, .2, … on eth0; `on 2 COMMAND` in the first runs it in the second
npm run lab -- console N          the shell of VM N of the running `nodes`, from another terminal; leave with Ctrl-]
npm run lab -- test               the lab tier of npm test

What a VM writes is in its memory, and gone when it ends. LAB_SECONDS (default 900) ends a `run`, LAB_MEMORY (MiB; default
3072, of `nodes` 2048 each) is how much each has. Two machines, one cluster (docs/network.md has the same for real ones):
  npm run lab -- nodes 2
  keelson up --bind-address 0.0.0.0 >/run/up.log 2>&1 &     until /run/up.log says ready
  join=$(keelson token create --join https://192.168.77.1:6443)
  on 2 "$join"
  on 2 'setsid keelson agent </dev/null >/run/agent.log 2>&1 &'
  KUBECONFIG=/etc/keelson/admin.kubeconfig kubectl get nodes -o wide
  on 2 ip link set eth0 down                                cuts the link; `on` has one of its own
TEXT
}

mode=${1:-shell}
[ $# -gt 0 ] && shift
case $mode in
  help | -h | --help) usage && exit ;;
  shell | run | nodes | console | test) ;;
  *) die "lab: unknown word \"$mode\"; use shell, run, nodes, console or test (--help says more)" ;;
esac
need_linux_root
mkdir -p "$lab"
prepare
trap end_vms EXIT
case $mode in
  shell) run_vm shell terminal ;;
  run)
    [ $# -gt 0 ] || die "lab run: which command?"
    printf '%q ' "$@" >"$lab/command.sh"
    run_vm "$lab/command.sh" output
    ;;
  nodes)
    count=2
    case ${1:-} in [0-9]*) count=$1 && shift ;; esac
    case $count in [2-5]) ;; *) die "lab nodes: \"$count\" machines; 2 to 5 are possible" ;; esac
    if [ $# -gt 0 ]; then
      printf '%q ' "$@" >"$lab/command.sh"
      run_nodes "$count" "$lab/command.sh" output
    else run_nodes "$count" shell terminal; fi
    ;;
  console) exec node "$root/scripts/lab/console.mjs" "$lab" "${1:-}" ;;
  test) run_tier ;;
esac

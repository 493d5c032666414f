# Boots VMs and ends them. Everything of a run is in a folder of its own: sockets, what the guest says, its exit code.

vm_dir=
vm_pids=()

end_vms() {
  local pid
  for pid in "${vm_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${vm_pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  vm_pids=()
  if [ -n "$vm_dir" ]; then
    [ "$(readlink "$lab/nodes")" != "$vm_dir" ] || rm -f "$lab/nodes"
    rm -rf "$vm_dir"
  fi
  vm_dir=
}

# share_tree : the host's tree, read-only, in a mount namespace of its own so that nothing shows up in the machine's mount
# table; one server for each VM.
share_tree() {
  local socket="$1" i
  mkdir -p "$vm_dir/ro"
  unshare -m --propagation private bash -c 'mount --bind / "$0/ro" && mount -o remount,bind,ro "$0/ro" && exec /usr/lib/qemu/virtiofsd --socket-path="$1" -o source="$0/ro" -o sandbox=chroot -o cache=always -o xattr -o no_posix_lock --thread-pool-size=0' "$vm_dir" "$socket" >"$socket.log" 2>&1 &
  vm_pids+=($!)
  for i in $(seq 200); do [ -S "$socket" ] && return; sleep 0.05; done
  cat "$socket.log" >&2
  die "virtiofsd did not start"
}

# wires NODE COUNT : QEMU's words for eth0 and eth1 of one of COUNT machines. The first one's QEMU is the switch (its hub),
# with a pair of unix datagram sockets to each of the others: nothing of it is on the host's network.
wires() {
  local node=$1 count=$2 wire peer
  for wire in 0 1; do
    if [ "$node" = 1 ]; then
      printf '%s\n' -netdev "hubport,hubid=$wire,id=w$wire"
      for peer in $(seq 2 "$count"); do
        printf '%s\n' -netdev "dgram,id=w${wire}p$peer,$(ends "$wire.1-$peer" "$wire.$peer-1")" -netdev "hubport,hubid=$wire,id=h${wire}p$peer,netdev=w${wire}p$peer"
      done
    else printf '%s\n' -netdev "dgram,id=w$wire,$(ends "$wire.$node-1" "$wire.1-$node")"; fi
    printf '%s\n' -device "virtio-net-pci,netdev=w$wire,mac=52:54:00:77:0$wire:0$node"
  done
}
ends() { printf 'local.type=unix,local.path=%s,remote.type=unix,remote.path=%s' "$vm_dir/wire$1" "$vm_dir/wire$2"; }

# start_vm NODE CONSOLE COMMAND MEMORY [WORD…] : in the background; its pid is $vm_pid. CONSOLE: output, terminal or socket.
start_vm() {
  local node=$1 console=$2 command=$3 memory=$4 serial=mon:stdio stdin=/dev/null errors=/dev/stderr guard=()
  shift 4
  [ "$console" != output ] || guard=(timeout --foreground "${LAB_SECONDS:-900}")
  # one that others end has nothing to say about it
  [ "$console" != socket ] || serial="unix:$vm_dir/console.$node,server=on,wait=off" errors="$vm_dir/qemu.log$node"
  [ "$console" != terminal ] || stdin=/dev/fd/9
  share_tree "$vm_dir/v.sock$node"
  # one processor: emulated in threads of their own, one may run an instruction that the kernel on the other is just
  # patching (static keys: the first and last cpuset, hooks of nft), and the guest dies of an int3 that is not there any more
  "${guard[@]}" qemu-system-x86_64 -M q35 -accel tcg,thread=single,tb-size=512 -cpu max,-cx16 -smp 1 -m "$memory" \
    -object memory-backend-memfd,id=mem,size="${memory}M",share=on -numa node,memdev=mem \
    -chardev socket,id=c0,path="$vm_dir/v.sock$node" -device vhost-user-fs-pci,chardev=c0,tag=host,queue-size=1024 \
    -nodefaults -no-user-config -display none -serial "$serial" -no-reboot -device virtio-rng-pci \
    -device virtio-serial-pci -chardev file,id=st,path="$vm_dir/status$node" -device virtserialport,chardev=st,name=lab.status \
    -chardev file,id=out,path="$vm_dir/out$node" -device virtserialport,chardev=out,name=lab.out \
    -kernel "$lab/vmlinuz" -initrd "$lab/initrd.gz" "$@" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off labroot=$root labcmd=$command${labnode:+ labnode=$labnode}" <"$stdin" 2>>"$errors" &
  vm_pid=$!
  vm_pids+=($vm_pid)
}

# finish_vm PID : waits for the first machine and ends all others. Returns its command's exit code; what it wrote to LAB_OUT
# is in $output. An empty status means that the guest crashed or ran out of time.
finish_vm() {
  local code
  wait "$1" || true
  code=$(tr -dc 0-9 <"$vm_dir/status1" 2>/dev/null || true)
  [ -s "$vm_dir/out1" ] && cp "$vm_dir/out1" "${output:-$lab/last-output}"
  end_vms
  [ -n "$code" ] || { echo "lab: the VM ended without a result (crash, or longer than ${LAB_SECONDS:-900}s)" >&2; return 125; }
  return "$code"
}

# run_vm COMMANDFILE|shell CONSOLE : one VM without any network
run_vm() {
  vm_dir=$(mktemp -d "$lab/run.XXXXXX")
  exec 9<&0
  labnode='' start_vm 1 "$2" "$1" "${LAB_MEMORY:-3072}"
  finish_vm "$vm_pid"
}

# run_nodes COUNT COMMANDFILE|shell CONSOLE : machines on one Ethernet; the command is the first one's
run_nodes() {
  local count=$1 command=$2 console=$3 node first
  vm_dir=$(mktemp -d "$lab/run.XXXXXX")
  ln -sfn "$vm_dir" "$lab/nodes"
  exec 9<&0
  for node in $(seq "$count" -1 1); do
    local words
    mapfile -t words < <(wires "$node" "$count")
    if [ "$node" = 1 ]; then labnode=1 start_vm 1 "$console" "$command" "${LAB_MEMORY:-2048}" "${words[@]}"
    else labnode=$node start_vm "$node" socket idle "${LAB_MEMORY:-2048}" "${words[@]}"; fi
  done
  finish_vm "$vm_pid"
}

#!/usr/bin/env bash
# A VM with Debian's own kernel, cgroup v2 and ip_vs, on this machine's root filesystem (read-only, under an overlay: no
# image is built). QEMU without KVM, so about ten times slower than the host.
#   npm run lab                    a shell in it; leave with `exit`
#   npm run lab -- run COMMAND…    run one command, end with its exit code
#   scripts/lab.sh test            the lab tier of npm test
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_linux_root
lab="$cache/lab"
mode=${1:-shell}
[ $# -gt 0 ] && shift
mkdir -p "$lab"

prepare() {
  apt_need qemu-system-x86_64=qemu-system-x86 /usr/lib/qemu/virtiofsd=qemu-system-common cpio=cpio xz=xz-utils depmod=kmod busybox=busybox-static
  [ -e "$lab/vmlinuz" ] && [ -e "$lab/initrd.gz" ] && [ "$lab/initrd.gz" -nt "$root/scripts/lab.sh" ] && return
  [ -e "$lab/vmlinuz" ] || step "lab: Debian kernel" fetch_kernel
  step "lab: initrd" make_initrd
}

# The newest 6.12 cloud kernel that the package lists know, else the newest 6.1.
fetch_kernel() {
  [ -n "$(ls /var/lib/apt/lists 2>/dev/null | grep -m1 Packages)" ] || apt-get update -qq
  local package
  package=$(apt-cache search --names-only '^linux-image-6\.(12|1)\.[0-9.+a-z-]*cloud-amd64(-unsigned)?$' | awk '{print $1}' | sort -V | tail -n 1)
  [ -n "$package" ] || { echo "no linux-image-*-cloud-amd64 in the package lists"; return 1; }
  echo "kernel package: $package"
  rm -rf "$lab/kernel" && mkdir -p "$lab/kernel/deb"
  (cd "$lab/kernel/deb" && apt-get download -qq "$package")
  dpkg -x "$lab"/kernel/deb/*.deb "$lab/kernel/root"
  rm -rf "$lab/kernel/deb"
  local version
  version=$(ls "$lab/kernel/root/lib/modules")
  depmod -b "$lab/kernel/root" "$version"
  cp "$lab/kernel/root/boot/vmlinuz-$version" "$lab/vmlinuz"
}

make_initrd() {
  local version tree="$lab/initrd" module file
  version=$(ls "$lab/kernel/root/lib/modules")
  rm -rf "$tree" && mkdir -p "$tree"/{bin,mods,proc,sys,dev}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  "$tree/bin/busybox" --install -s "$tree/bin" 2>/dev/null || for a in sh mount insmod mkdir cat cp sed poweroff switch_root; do ln -sf busybox "$tree/bin/$a"; done
  # links made by --install name the host's path
  for a in "$tree"/bin/*; do [ -L "$a" ] && ln -sf busybox "$a"; done
  : >"$tree/mods/order"
  # built in on the newer kernel, modules on the older
  for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_console fuse virtiofs overlay; do
    file=$(find "$lab/kernel/root/lib/modules/$version/kernel" \( -name "$module.ko" -o -name "$module.ko.xz" \) | head -n 1)
    [ -n "$file" ] || continue
    case $file in *.xz) xz -dc "$file" >"$tree/mods/$module.ko" ;; *) cp "$file" "$tree/mods/$module.ko" ;; esac
    echo "/mods/$module.ko" >>"$tree/mods/order"
  done
  cat >"$tree/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /mods/order); do insmod $m; done
mkdir -p /lower /ov; mount -t virtiofs -o ro host /lower || poweroff -f
mount -t tmpfs -o size=60% tmpfs /ov; mkdir -p /ov/u /ov/w /ov/m
mount -t overlay overlay -o lowerdir=/lower,upperdir=/ov/u,workdir=/ov/w /ov/m || poweroff -f
cp /labinit /ov/m/labinit
for d in proc sys dev; do mkdir -p /ov/m/$d; mount --move /$d /ov/m/$d; done
exec switch_root /ov/m /bin/bash /labinit
INIT
  cat >"$tree/labinit" <<INIT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=\${TERM:-linux} KEELSON_LAB=1
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm; mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd; ln -sf /dev/pts/ptmx /dev/ptmx
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
ip link set lo up; hostname lab; echo lab >/etc/hostname
# clones of the checkout may share one cache and its initrd: which of them this is comes with the boot
cd "\$(sed -n 's/.*labroot=\([^ ]*\).*/\1/p' /proc/cmdline)"
mkdir -p /lib/modules; mount --bind .cache/lab/kernel/root/lib/modules /lib/modules
modprobe -qa overlay bridge veth nf_tables nft_chain_nat nft_masq nft_ct ip_vs ip_vs_rr tun 2>/dev/null
# state of a node needs a filesystem that an overlay can have on top
mkdir -p /var/lib/keelson /var/tmp/lab; mount -t tmpfs -o size=800M tmpfs /var/lib/keelson; mount -t tmpfs -o size=800M tmpfs /var/tmp/lab
for p in /sys/class/virtio-ports/*; do [ "\$(cat \$p/name)" = lab.status ] && status=/dev/\$(basename \$p); [ "\$(cat \$p/name)" = lab.out ] && export LAB_OUT=/dev/\$(basename \$p); done
cmd=\$(sed -n 's/.*labcmd=\([^ ]*\).*/\1/p' /proc/cmdline)
if [ "\$cmd" = shell ]; then setsid -c bash -i </dev/ttyS0 >/dev/ttyS0 2>&1; code=\$?; else bash "\$cmd"; code=\$?; fi
echo \$code >\$status
echo o >/proc/sysrq-trigger; sleep 5
INIT
  chmod +x "$tree/init"
  (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) >"$lab/initrd.gz"
}

# boot CMDPATH|shell : the guest's console is our standard output; returns the command's exit code.
boot() {
  local command=$1 dir code seconds=${LAB_SECONDS:-900}
  dir=$(mktemp -d "$lab/run.XXXXXX")
  mkdir "$dir/ro"
  # the host's tree, read-only, in a mount namespace of its own so that nothing shows up in the machine's mount table
  unshare -m --propagation private bash -c 'mount --bind / "$0/ro" && mount -o remount,bind,ro "$0/ro" && exec /usr/lib/qemu/virtiofsd --socket-path="$0/v.sock" -o source="$0/ro" -o sandbox=chroot -o cache=always -o xattr -o no_posix_lock --thread-pool-size=0' "$dir" >"$dir/virtiofsd.log" 2>&1 &
  local server=$!
  local i
  for i in $(seq 200); do [ -S "$dir/v.sock" ] && break; sleep 0.05; done
  [ -S "$dir/v.sock" ] || { cat "$dir/virtiofsd.log" >&2; die "virtiofsd did not start"; }
  local stdin=/dev/null guard=(timeout --foreground "$seconds")
  [ "$command" = shell ] && { stdin=/dev/stdin; guard=(); }
  # one processor: emulated in threads of their own, one may run an instruction that the kernel on the other is just
  # patching (static keys: the first and last cpuset, hooks of nft), and the guest dies of an int3 that is not there any more
  "${guard[@]}" qemu-system-x86_64 -M q35 -accel tcg,thread=single,tb-size=512 -cpu max,-cx16 -smp 1 -m 3072 \
    -object memory-backend-memfd,id=mem,size=3072M,share=on -numa node,memdev=mem \
    -chardev socket,id=c0,path="$dir/v.sock" -device vhost-user-fs-pci,chardev=c0,tag=host,queue-size=1024 \
    -nodefaults -no-user-config -display none -serial mon:stdio -no-reboot -device virtio-rng-pci \
    -device virtio-serial-pci -chardev file,id=st,path="$dir/status" -device virtserialport,chardev=st,name=lab.status \
    -chardev file,id=out,path="$dir/out" -device virtserialport,chardev=out,name=lab.out \
    -kernel "$lab/vmlinuz" -initrd "$lab/initrd.gz" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off labroot=$root labcmd=$command" <"$stdin" || true
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  code=$(cat "$dir/status" 2>/dev/null | tr -dc 0-9)
  [ -s "$dir/out" ] && cp "$dir/out" "${output:-$lab/last-output}"
  rm -rf "$dir"
  # an empty status file means that the guest crashed or ran out of time
  [ -n "$code" ] || { echo "lab: the VM ended without a result (crash, or longer than ${seconds}s)" >&2; return 125; }
  return "$code"
}

# test_in_vm NAME FILE… : what the tests print is in output.NAME, too
test_in_vm() {
  local name=$1
  shift
  output="$lab/output.$name"
  : >"$output"
  printf 'set -o pipefail\nnode --test --test-concurrency=1 --test-reporter=spec %s 2>&1 | tee -a "$LAB_OUT"\n' "$*" >"$lab/test.$name.sh"
  boot "$lab/test.$name.sh"
}

prepare
case $mode in
  shell) boot shell ;;
  run)
    printf '%q ' "$@" >"$lab/command.sh"
    boot "$lab/command.sh"
    ;;
  test)
    # two VMs, each on a processor of its own: these files in one, all others in the other, about as long
    these='dist/test/lab/ipvs.test.js dist/test/lab/pressure.test.js dist/test/lab/plain-node.test.js'
    others=
    for file in dist/test/lab/*.test.js; do case " $these " in *" $file "*) ;; *) others="$others $file" ;; esac; done
    test_in_vm second $these >"$lab/second.console" 2>&1 &
    second=$!
    code=0
    test_in_vm first $others || code=$?
    wait "$second" || code=$?
    cat "$lab/second.console"
    # node:test's own summaries → the line that the runner sums; a VM that died without one has failed
    count() { local sum=0 vm; for vm in first second; do sum=$((sum + $(tr -d '\r' <"$lab/output.$vm" | sed -n "s/^ℹ $1 \([0-9]*\).*/\1/p" | tail -n 1 | grep . || echo 0))); done; echo "$sum"; }
    passed=$(count pass) failed=$(count fail) skipped=$(count skipped) cancelled=$(count cancelled)
    failed=$((${failed:-0} + ${cancelled:-0}))
    [ "$code" = 0 ] || [ "$failed" -gt 0 ] || failed=1
    echo "${passed:-0} passed, $failed failed, ${skipped:-0} skipped"
    exit "$code"
    ;;
  *) die "lab: unknown word \"$mode\"; use shell, run or test" ;;
esac

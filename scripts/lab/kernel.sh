# The lab's kernel, from Debian's package, and an initrd that ends up in this machine's tree. Both are made once.

prepare() {
  apt_need qemu-system-x86_64=qemu-system-x86 /usr/lib/qemu/virtiofsd=qemu-system-common cpio=cpio xz=xz-utils depmod=kmod busybox=busybox-static
  [ -e "$lab/vmlinuz" ] || step "lab: Debian kernel" fetch_kernel
  [ "$lab/initrd.gz" -nt "$root/scripts/lab/kernel.sh" ] && [ "$lab/initrd.gz" -nt "$lab/vmlinuz" ] || step "lab: initrd" make_initrd
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
  # clones of the checkout may share one cache and its initrd: which of them this is comes with the boot
  cat >"$tree/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /mods/order); do insmod $m; done
mkdir -p /lower /ov; mount -t virtiofs -o ro host /lower || poweroff -f
mount -t tmpfs -o size=60% tmpfs /ov; mkdir -p /ov/u /ov/w /ov/m
mount -t overlay overlay -o lowerdir=/lower,upperdir=/ov/u,workdir=/ov/w /ov/m || poweroff -f
root=$(sed -n 's/.*labroot=\([^ ]*\).*/\1/p' /proc/cmdline)
for d in proc sys dev; do mkdir -p /ov/m/$d; mount --move /$d /ov/m/$d; done
exec switch_root /ov/m /bin/bash $root/scripts/lab/guest.sh
INIT
  chmod +x "$tree/init"
  (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1) >"$lab/initrd.gz"
}

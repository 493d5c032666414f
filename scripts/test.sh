#!/usr/bin/env bash
# npm test: from a clean clone on a fresh Debian 12 as root to a verdict over every tier.
#   npm test                 everything
#   npm test -- unit host    only these tiers: check unit host lab e2e dashboard
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_linux_root
cd "$root"
say "Keelson tests: set-up"
build_tools
apt_need curl=curl openssl=openssl qemu-system-x86_64=qemu-system-x86 /usr/lib/qemu/virtiofsd=qemu-system-common cpio=cpio xz=xz-utils depmod=kmod \
  chromium=chromium umoci=umoci strace=strace
npm_packages
build_all
step "kubectl 1.35 and helm" node scripts/fetch-kubectl.mjs
for minor in 22 26 30 33; do step "kubectl 1.$minor" node scripts/fetch-kubectl.mjs "$minor"; done
step "test images" node scripts/make-images.mjs
step "nginx" node scripts/fetch-nginx.mjs
step "podman and CNI plugins" node scripts/fetch-cni.mjs
exec node scripts/test.mjs "$@"

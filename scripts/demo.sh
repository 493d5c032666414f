#!/usr/bin/env bash
# npm run demo: from a clean clone on a fresh Debian 12 as root to a cluster that answers, in one command.
#   npm run demo              show it, take it down again, leave nothing behind
#   npm run demo -- --keep    leave it up
set -euo pipefail
. "$(dirname "$0")/lib.sh"
keep=
for word in "$@"; do
  case $word in
    --keep) keep=1 ;;
    *) die "demo: unknown word \"$word\"; only --keep is known" ;;
  esac
done
need_linux_root
cd "$root"

name=demo
log="$cache/log/demo-cluster.log"
keelson=./bin/keelson
kubectl() { HOME="$cache" KUBECONFIG="$kubeconfig" "$root/.cache/kubectl-v35/kubectl" "$@"; }
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
[ -t 1 ] || show() { printf '\n$ %s\n' "$*"; "$@"; }
up=

take_down() {
  [ -n "$up" ] || return 0
  printf '\n'
  kill -TERM "$up" 2>/dev/null && wait "$up" 2>/dev/null || true
  up=
  step "taking the cluster down" "$keelson" reset --isolated $name --yes
}
trap take_down EXIT
trap 'exit 130' INT TERM

say "Keelson demo: set-up (logs in .cache/log)"
build_tools
apt_need umoci=umoci
npm_packages
build_all
step "kubectl 1.35" node scripts/fetch-kubectl.mjs
step "demo images, from Debian packages" node scripts/make-images.mjs

# what an earlier demo left; a running one is not touched
"$keelson" reset --isolated $name --yes >"$log" 2>&1 || die "$(sed 's/^keelson: //' "$log")"
port=$(node scripts/free-port.mjs 6443)
kubeconfig=/var/lib/keelson/isolated/$name/admin.kubeconfig

printf '  %-46s' "cluster \"$name\", in namespaces of its own"
flags=(--isolated $name --port "$port")
[ -n "$keep" ] || flags+=(--rm)
setsid "$keelson" up "${flags[@]}" >"$log" 2>&1 </dev/null &
up=$!
for _ in $(seq 300); do
  grep -q '^ready ' "$log" && break
  kill -0 "$up" 2>/dev/null || { printf 'FAILED\n\n'; tail -n 15 "$log" >&2; up=; die "the cluster did not start; its whole log is $log"; }
  sleep 0.1
done
grep -q '^ready ' "$log" || { printf 'FAILED\n\n'; tail -n 15 "$log" >&2; die "the cluster was not ready after 30 s; its whole log is $log"; }
printf 'ok\n'
for image in busybox nginx http-echo; do
  step "image $image" "$keelson" image import ".cache/images/$image" --data-dir /var/lib/keelson/isolated/$name
done

show kubectl apply -f examples/
step "every pod is ready" kubectl wait --for=condition=Ready pod/hello pod/web pod/steps --timeout=60s
show kubectl get nodes
show kubectl get pods -o wide
address=$(kubectl get pod hello -o 'jsonpath={.status.podIP}')
show "$keelson" enter $name -- busybox wget -q -O - "http://$address:8080/hello"
show kubectl logs settings
show kubectl exec web -c watcher -- ps
show "$keelson" inspect pod hello --isolated $name

cat <<EOT

The dashboard: https://127.0.0.1:$port/dashboard/   (its certificate is our own: the browser will ask)
Its token:     $keelson token dashboard --isolated $name
EOT

if [ -n "$keep" ]; then
  disown "$up"
  pid=$up
  up=
  cat <<EOT

The cluster stays up. What to type next:
  export KUBECONFIG=$kubeconfig PATH=$root/.cache/kubectl-v35:$root/bin:\$PATH
  kubectl get pods -w                          # stumble fails on purpose: watch its back-off
  kubectl exec -it web -c watcher -- sh        # a shell in a container
  keelson enter $name -- ip -d link            # the node's own network
  kubectl delete -f examples/
To stop it:  kill $pid   (pods go on until: keelson reset --isolated $name --yes)
EOT
else
  cat <<EOT

It goes down now. What to type next:
  npm run demo -- --keep        the same, and it stays up for you
  ./bin/keelson --help          the command;  ./bin/keelson doctor  says what this kernel can do
  README.md                     a first hour
EOT
fi

# Steps with progress, shared by demo.sh, test.sh and lab.sh. A failed step names itself, shows its output's end, and ends the run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache="$root/.cache"
mkdir -p "$cache/log"

say() { printf '%s\n' "$*"; }
die() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# step NAME COMMAND… : runs it quietly, prints name, time and result.
step() {
  local name=$1 started=$SECONDS log
  shift
  log="$cache/log/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9\n' '-').log"
  printf '  %-46s' "$name"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok   %3ds\n' $((SECONDS - started))
  else
    printf 'FAILED\n\n'
    tail -n 25 "$log" >&2
    die "step \"$name\" failed; its whole output is in $log"
  fi
}

need_linux_root() {
  [ "$(uname -s)" = Linux ] || die "Keelson runs on Linux only; this is $(uname -s). See vagrant/ for Linux VMs."
  [ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); only x86_64 is supported now"
  [ "$(id -u)" = 0 ] || die "this must run as root: it makes namespaces, cgroups and network links. Try: sudo npm run ${npm_lifecycle_event:-demo}"
  command -v node >/dev/null || die "Node.js 20 or newer is needed: https://nodejs.org or Debian's backports"
  node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a===20&&b>=19)?0:1)' ||
    die "Node.js $(node --version) is too old; 20.19 or newer is needed"
}

# apt_need COMMAND-OR-FILE=PACKAGE… : installs what is missing, and says what cannot be had.
apt_need() {
  local item missing=()
  for item in "$@"; do
    case ${item%%=*} in
      /*) [ -e "${item%%=*}" ] || missing+=("${item#*=}") ;;
      *) command -v "${item%%=*}" >/dev/null || missing+=("${item#*=}") ;;
    esac
  done
  [ ${#missing[@]} = 0 ] && return 0
  command -v apt-get >/dev/null || die "missing: ${missing[*]}; this is not a Debian system, install them by hand"
  step "apt: package lists" apt-get update -qq
  step "apt: ${missing[*]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

build_tools() {
  apt_need g++=g++ make=make python3=python3 musl-gcc=musl-tools nft=nftables ip=iproute2 unzip=unzip \
    nsenter=util-linux busybox=busybox-static
}

npm_packages() {
  # addons build against the headers beside this Node; elsewhere node-gyp fetches them
  [ -e /usr/include/node/node.h ] && [ "$(command -v node)" = /usr/bin/node ] && export npm_config_nodedir=/usr
  local stamp="$root/node_modules/.keelson-lock"
  if ! cmp -s "$root/package-lock.json" "$stamp"; then
    step "npm ci" npm --prefix "$root" ci --no-audit --no-fund
    cp "$root/package-lock.json" "$stamp"
  fi
}

build_all() {
  step "build: native, TypeScript, page" npm --prefix "$root" run build
}

# The lab tier of npm test: two VMs side by side, each on a processor of its own. One is followed by two machines on one
# Ethernet, of which the second mostly waits.

# These files in one VM, then those that need two; all others in the other VM: about as long.
second='ipvs'
nodes='nodes'

compiled() { local name; for name in "$@"; do printf 'dist/test/lab/%s.test.js ' "$name"; done; }

others() {
  local file
  for file in dist/test/lab/*.test.js; do case " $(compiled $second $nodes)" in *" $file "*) ;; *) printf '%s ' "$file" ;; esac; done
}

# test_in NAME FILES START… : what the tests print is in output.NAME, too
test_in() {
  local name=$1 files=$2
  shift 2
  output="$lab/output.$name"
  : >"$output"
  printf 'set -o pipefail\nnode --test --test-concurrency=1 --test-reporter=spec %s 2>&1 | tee -a "$LAB_OUT"\n' "$files" >"$lab/test.$name.sh"
  "$@" "$lab/test.$name.sh" output
}

# count WORD : of node:test's own summaries
count() {
  local sum=0 vm found
  for vm in first second nodes; do
    found=$(tr -d '\r' <"$lab/output.$vm" | sed -n "s/^ℹ $1 \([0-9]*\).*/\1/p" | tail -n 1)
    sum=$((sum + ${found:-0}))
  done
  echo "$sum"
}

second_lane() {
  local code=0
  test_in second "$(compiled $second)" run_vm || code=$?
  LAB_SECONDS=${LAB_SECONDS:-1200} test_in nodes "$(compiled $nodes)" run_nodes 2 || code=$?
  return "$code"
}

# The last line is what the runner sums. A VM that died without a summary has failed.
run_tier() {
  local code=0 other
  cd "$root"
  (trap end_vms EXIT && second_lane) >"$lab/second.console" 2>&1 &
  other=$!
  test_in first "$(others)" run_vm || code=$?
  wait "$other" || code=$?
  cat "$lab/second.console"
  local passed failed skipped
  passed=$(count pass) skipped=$(count skipped) failed=$(($(count fail) + $(count cancelled)))
  [ "$code" = 0 ] || [ "$failed" -gt 0 ] || failed=1
  echo "$passed passed, $failed failed, $skipped skipped"
  exit "$code"
}

# shellcheck shell=bash
# Steps of a proof: each runs a command, is timed, and counts. Sourced; RESULTS is the file they are written to.

say() { printf '\n=== %s\n' "$*"; }
die() {
  printf 'prove: %s\n' "$*" >&2
  exit 1
}

# step NAME COMMAND [ARG]...: what it prints is the transcript. It always succeeds, and must not be part of a
# condition, where bash would go on after a command of the step that failed.
step() {
  local name=$1 started=$SECONDS code
  shift
  say "$name"
  set +e
  (
    set -euo pipefail
    "$@"
  ) 2>&1
  code=$?
  set -e
  OUTCOME=$([[ $code == 0 ]] && echo passed || echo failed)
  printf '%s %s %s\n' "$OUTCOME" "$((SECONDS - started))" "$name" >>"$RESULTS"
  printf '=== %s in %d s: %s\n' "$OUTCOME" "$((SECONDS - started))" "$name"
}

# One that the others stand on.
must() {
  step "$@"
  [[ $OUTCOME == passed ]] || die "no use going on"
}

report() {
  local outcome seconds name
  printf '\n'
  while read -r outcome seconds name; do printf '%-6s %5d s  %s\n' "$outcome" "$seconds" "$name"; done <"$RESULTS"
  printf '%d passed, %d failed\n' "$(grep -c '^passed' "$RESULTS")" "$(grep -c '^failed' "$RESULTS")"
}

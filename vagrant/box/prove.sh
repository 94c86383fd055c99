#!/usr/bin/env bash
# Proves the testbed from nothing, on a machine that can download no box and has no KVM: builds the box, brings three
# emulated machines up, shows what they must show, breaks them, takes all of it away and looks for what is left.
#
#   prove.sh [--install] [--quick]
#
#   --install   install Vagrant, libvirt and QEMU from Debian first
#   --quick     without the benchmark and without the power cuts
#
# Nothing of an earlier run is used, unless PLAIT_CACHE=DIR keeps the images or PLAIT_DEB=FILE names a package. The last
# line is `N passed, N failed`.
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly TOP=$(cd "$HERE/../.." && pwd)
readonly TESTBED=$TOP/vagrant
readonly DIR=$TOP/dist/vagrant/prove
readonly RESULTS=$DIR/results
# shellcheck source=vagrant/box/steps.sh
. "$HERE/steps.sh"

has_tools() {
  local tool
  for tool in vagrant libvirtd virtlogd qemu-system-x86_64 dnsmasq; do
    command -v "$tool" >/dev/null || { echo "find $tool: run with --install" && return 1; }
  done
}

# Before the machines, which have no network to make it with, and aside, where no later build replaces it.
make_package() {
  [[ -n ${PLAIT_DEB-} ]] || (cd "$TOP" && npm run -s pack)
  cp "${PLAIT_DEB:-$(newest_package)}" "$DIR/plait.deb"
}

newest_package() { find "$TOP/dist/package" -name 'plait_*_amd64.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-; }

build_box() { PLAIT_CACHE=${PLAIT_CACHE:-$DIR/cache} "$HERE/build.sh" --no-add --out "$DIR/bookworm.box"; }

# Whatever the run has started knows its directory by its environment or its arguments.
leftovers() {
  local process text
  for process in /proc/[0-9]*; do
    if [[ $process == /proc/$$ || $process == /proc/$BASHPID ]]; then continue; fi
    text=$(cat "$process/environ" "$process/cmdline" 2>/dev/null | tr '\0' ' ') || true
    if [[ $text == *"$DIR/state"* ]]; then echo "process ${process#/proc/}: $text"; fi
  done
}

# Processes of this run, mounts of its directory or over libvirt's, and the network devices that libvirt makes.
nothing_is_left() {
  local left
  left=$(
    leftovers
    grep -E " $DIR| /(etc|var/lib|var/log|var/cache|run)/libvirt " /proc/self/mounts || true
    ip -br link | grep -E '^(virbr|vnet)' || true
  )
  if [[ -n $left ]]; then
    echo "$left"
    return 1
  fi
  echo "no process, no mount, no device"
}

main() {
  local want_install='' quick=
  while (($#)); do
    case $1 in
      --install) want_install=1 ;;
      --quick) quick=--quick ;;
      *) die "usage: prove.sh [--install] [--quick]" ;;
    esac
    shift
  done
  ((EUID == 0)) || die "run as root: it makes namespaces and images"
  rm -rf "$DIR"
  mkdir -p "$DIR"
  : >"$RESULTS"
  trap 'report; rm -rf "$DIR"' EXIT
  trap 'kill ${INSIDE:+"$INSIDE"} 2>/dev/null || true; exit 130' INT TERM

  if [[ -n $want_install ]]; then
    must "install Vagrant, libvirt and QEMU" "$TESTBED/provision.sh" --packages-only --with-vms --with-vagrant
  fi
  must "find Vagrant, libvirt and QEMU" has_tools
  must "make Plait's Debian package" make_package
  must "build the box from Debian packages" build_box
  "$HERE/private-libvirt.sh" "$DIR/state" "$HERE/prove-inside.sh" "$DIR" ${quick:+"$quick"} &
  INSIDE=$!
  wait "$INSIDE" || true
  step "nothing is left behind" nothing_is_left
}

main "$@"

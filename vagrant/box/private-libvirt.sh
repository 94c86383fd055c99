#!/usr/bin/env bash
# Runs a command with a libvirt of its own: for machines without systemd, and for tests that must leave nothing.
#
#   private-libvirt.sh DIRECTORY COMMAND [ARG]...
#
# The command and the daemons live in mount, network and PID namespaces of their own, libvirt's and Vagrant's state in
# DIRECTORY. When the command ends, or this script is killed, the PID namespace ends, and with it every daemon and
# machine, their bridges and mounts. There is no way out to the network, and no KVM.
set -euo pipefail

readonly PLACES=(/etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt)

die() {
  printf 'private-libvirt: %s\n' "$*" >&2
  exit 1
}

enter() {
  ((EUID == 0)) || die "run as root: it makes namespaces and bridges"
  command -v libvirtd >/dev/null || die "find libvirtd: install libvirt-daemon-system"
  # unshare ignores the signals that end a shell, so it is killed, and by that its child, the first of the PID namespace.
  setpriv --pdeathsig KILL unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc \
    "${BASH_SOURCE[0]}" --inside "$@" &
  local unshare=$! code=0
  # shellcheck disable=SC2064 # that of now
  trap "kill -KILL $unshare 2>/dev/null || true" EXIT
  trap 'exit 130' INT TERM
  wait "$unshare" || code=$?
  exit "$code"
}

# What the system's libvirt keeps is copied, so that its files are as it expects them, and covered.
cover_places() {
  local state=$1 place
  for place in "${PLACES[@]}"; do
    rm -rf "${state:?}$place"
    mkdir -p "$state$place"
    cp -a "$place/." "$state$place/"
    mount --bind "$state$place" "$place"
  done
  mkdir -p /run/libvirt
  mount -t tmpfs tmpfs /run/libvirt
  # Of this network namespace, not of the machine's.
  mount -t sysfs sysfs /sys
  # An empty file of our own: what others do to it, mode and owner included, stays here.
  : >"$state/no-kvm"
  [[ ! -e /dev/kvm ]] || mount --bind "$state/no-kvm" /dev/kvm
}

# Root's, without the security drivers and cgroups of a host with systemd.
configure() {
  cat >/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
remember_owner = 0
dynamic_ownership = 0
CONF
}

# virtlogd first: libvirtd asks for it when it starts a machine.
start_daemons() {
  local state=$1 tries
  virtlogd --pid-file /run/libvirt/virtlogd.pid >"$state/virtlogd.log" 2>&1 &
  libvirtd --pid-file /run/libvirt/libvirtd.pid >"$state/libvirtd.log" 2>&1 &
  for ((tries = 0; tries < 100; tries++)); do
    if virsh -q -c qemu:///system list >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  tail -n 20 "$state/libvirtd.log" >&2
  die "start libvirtd: no answer in 20 s"
}

inside() {
  local state=$1
  shift
  mkdir -p "$state"
  ip link set lo up
  cover_places "$state"
  configure
  start_daemons "$state"
  export VAGRANT_HOME=$state/vagrant.d VAGRANT_DOTFILE_PATH=$state/dotfile VAGRANT_CHECKPOINT_DISABLE=1 LIBVIRT_DEFAULT_URI=qemu:///system
  local code=0
  "$@" || code=$?
  exit "$code"
}

if [[ ${1-} == --inside ]]; then
  shift
  inside "$@"
fi
(($# >= 2)) || die "usage: private-libvirt.sh DIRECTORY COMMAND [ARG]..."
enter "$(realpath -m "$1")" "${@:2}"

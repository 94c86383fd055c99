#!/usr/bin/env bash
# Makes this machine able to build, test and run Plait: Debian packages, node modules, the build itself.
# It is the installer of a fresh machine, of the Vagrant VMs and of CI; a second run finds nothing to do.
#
#   vagrant/provision.sh                  packages, node modules, build
#   vagrant/provision.sh --packages-only  the Debian packages alone
#   vagrant/provision.sh --with-vms       also what builds and runs virtual machines: QEMU (emulation, no KVM needed)
#                                         and the tools of vagrant/box/image.sh; may be combined with the others
#   vagrant/provision.sh --with-vagrant   also Vagrant and libvirt, for vagrant/box/prove.sh
set -euo pipefail

readonly TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly NODE_MAJOR=20
readonly PACKAGES=(
  clang llvm libbpf-dev libelf-dev zlib1g-dev pkg-config make g++ python3 bpftool clang-format dpkg-dev # build
  etcd-server iproute2 nftables procps util-linux                                              # run
  etcd-client iperf3 sockperf tcpdump tshark ethtool iputils-ping dnsutils jq fish             # lab, tests
  curl openssl faketime                                                                        # tests
  wrk nginx redis-server                                                                       # plait bench
  docker.io docker-compose busybox-static                                                                     # tests
)
readonly VM_PACKAGES=(qemu-system-x86 qemu-utils mmdebstrap busybox-static e2fsprogs kmod cpio xz-utils zstd debian-archive-keyring)
readonly VAGRANT_PACKAGES=(vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients dnsmasq-base openssh-client)

say() { printf 'provision: %s\n' "$*"; }
die() {
  printf 'provision: %s\n' "$*" >&2
  exit 1
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
  local package
  for package; do
    grep -qx "$package" <<<"$INSTALLED" || printf '%s\n' "$package"
  done
}

# Debian starts the daemons of what it installs. We want their programs, not services: policy-rc.d refuses the
# start during the installation (a policy that exists already stays), and no unit is left for the next boot.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >"$LOG" 2>&1 &&
    apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@" >>"$LOG" 2>&1 || {
    tail -n 20 "$LOG" >&2
    die "install packages: apt-get failed (is the network up?); its whole output is in $LOG"
  }
  [[ -d /run/systemd/system ]] || return 0
  local package
  for package; do
    case $package in
      etcd-server) systemctl --quiet disable --now etcd.service ;;
      docker.io) systemctl --quiet disable --now docker.service docker.socket containerd.service ;;
      nginx | redis-server) systemctl --quiet disable --now "$package.service" ;;
    esac
  done
)

check_node() {
  local advice="install Node.js $NODE_MAJOR or newer (https://nodejs.org, or: npm install -g node@22)"
  command -v node >/dev/null || die "find node: it is not installed; $advice"
  command -v npm >/dev/null || die "find npm: it is not installed; $advice"
  local version
  version=$(node -p 'process.versions.node')
  ((${version%%.*} >= NODE_MAJOR)) || die "use node $version: too old; $advice"
  say "node $version"
}

# `npm ci` starts by deleting node_modules, so it runs only when the lock file is another one than last time.
# No dependency needs its install script; the addon is compiled by the build.
install_modules() {
  local stamp=node_modules/.plait-lock-sha256 want
  want=$(sha256sum package-lock.json)
  if [[ -e $stamp && $(<"$stamp") == "$want" ]]; then
    say "node modules: nothing to do"
    return
  fi
  say "node modules: npm ci"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || die "install node modules: npm ci failed"
  printf '%s\n' "$want" >"$stamp"
}

build() {
  local started=$SECONDS
  say "build: addon, BPF programs, TypeScript"
  npm run -s build || die "build: failed, see above"
  say "build: done in $((SECONDS - started)) s"
}

main() {
  local packages_only='' wanted=("${PACKAGES[@]}")
  while (($#)); do
    case $1 in
      --packages-only) packages_only=1 ;;
      --with-vms) wanted+=("${VM_PACKAGES[@]}") ;;
      --with-vagrant) wanted+=("${VAGRANT_PACKAGES[@]}") ;;
      *) die "usage: vagrant/provision.sh [--packages-only] [--with-vms] [--with-vagrant]" ;;
    esac
    shift
  done
  ((EUID == 0)) || die "run as root: packages are installed and BPF programs loaded (try: sudo $0)"
  command -v apt-get >/dev/null || die "find apt-get: this script knows Debian 12 and its relatives only"
  cd "$TOP"

  exec 9>/run/plait-provision.lock
  flock -n 9 || {
    say "waiting for another provision.sh to end"
    flock 9
  }

  local missing
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]})); then
    say "packages: installing ${missing[*]}"
    install_packages "${missing[@]}"
  else
    say "packages: nothing to do"
  fi
  [[ -z $packages_only ]] || return 0

  check_node
  install_modules
  build
}

readonly LOG=/run/plait-provision.log
INSTALLED=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
main "$@"

#!/usr/bin/env bash
# Makes a Debian 12 box for vagrant-libvirt out of Debian packages alone: for hosts that can download no box.
# It holds what Plait's package depends on and the tools of the demonstration, so that machines made of it need no
# network. It has no boot loader: the box names its kernel and initrd to libvirt.
#
#   build.sh [--kernel 6.1|6.12] [--docker] [--name plait/bookworm] [--out FILE] [--no-add]
#
# Without --no-add the box is given to Vagrant. Run as root; `vagrant/provision.sh --with-vms` installs what it needs.
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly TOP=$(cd "$HERE/../.." && pwd)
readonly KEYS='/usr/share/rubygems-integration/all/gems/vagrant-*/keys/vagrant.pub'
readonly DISK_GIB=4
readonly SYSTEM=(openssh-server sudo rsync iproute2 iputils-ping procps nano less apt-utils)
# Depends: of the package, then what the demonstration uses.
readonly PLAIT=(etcd-server etcd-client libbpf1 libelf1 zlib1g libstdc++6 nftables util-linux)
readonly TOOLS=(iperf3 sockperf tcpdump ethtool jq curl bash-completion busybox-static)

say() { printf 'box: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

kernel_package() {
  case $1 in
    6.1) echo linux-image-cloud-amd64 ;;
    6.12) echo linux-image-6.12-cloud-amd64 ;;
    *) die "--kernel $1: give 6.1 or 6.12" ;;
  esac
}

put() {
  local mode=$1 file=$OVERLAY/$2
  install -D -m "$mode" /dev/stdin "$file"
}

enable_unit() {
  local target=$OVERLAY/etc/systemd/system/$1.wants
  mkdir -p "$target"
  ln -s "/lib/systemd/system/$2" "$target/$2"
}

# Overlays are files, so the user is added to copies of the image's own lists. No password: a key and sudo.
add_user() {
  local rootfs=$1 list
  mkdir -p "$OVERLAY/etc"
  for list in passwd group shadow; do tar -xOf "$rootfs" "./etc/$list" >"$OVERLAY/etc/$list"; done
  chmod 640 "$OVERLAY/etc/shadow"
  echo 'vagrant:x:1000:1000::/home/vagrant:/bin/bash' >>"$OVERLAY/etc/passwd"
  echo 'vagrant:x:1000:' >>"$OVERLAY/etc/group"
  echo 'vagrant:*:19000:0:99999:7:::' >>"$OVERLAY/etc/shadow"
  put 440 etc/sudoers.d/vagrant <<<'vagrant ALL=(ALL:ALL) NOPASSWD: ALL'
  local key
  key=$(compgen -G "$KEYS") || die "find Vagrant's public key: install Debian's vagrant"
  put 600 home/vagrant/.ssh/authorized_keys <"${key%%$'\n'*}"
  put 644 usr/lib/tmpfiles.d/vagrant.conf <<<'Z /home/vagrant - vagrant vagrant'
}

# 90: after what Vagrant writes for the interfaces it configures. By name: a container's veth is none of its business.
add_network() {
  put 644 etc/systemd/network/90-dhcp.network <<<$'[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6'
  put 644 etc/hosts <<<$'127.0.0.1 localhost\n::1 localhost'
  enable_unit multi-user.target systemd-networkd.service
  enable_unit network-online.target systemd-networkd-wait-online.service
}

# Nothing that runs by itself in a machine that lives for an hour.
quieten() {
  local unit
  mkdir -p "$OVERLAY/etc/systemd/system"
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer e2scrub_reap.service; do
    ln -s /dev/null "$OVERLAY/etc/systemd/system/$unit"
  done
  put 644 etc/dpkg/dpkg.cfg.d/testbed <<<force-unsafe-io
  put 644 etc/ssh/sshd_config.d/testbed.conf <<<$'UseDNS no\nGSSAPIAuthentication no'
}

write_box_files() {
  local folder=$1
  printf '{"provider":"libvirt","format":"qcow2","virtual_size":%d}\n' "$DISK_GIB" >"$folder/metadata.json"
  cat >"$folder/Vagrantfile" <<'RUBY'
Vagrant.configure('2') do |config|
  config.vm.provider :libvirt do |libvirt|
    libvirt.kernel = File.join(__dir__, 'vmlinuz')
    libvirt.initrd = File.join(__dir__, 'initrd.img')
    # The last two halve the system time of an emulated machine.
    libvirt.cmd_line = 'root=/dev/vda rw console=ttyS0 quiet mitigations=off no5lvl'
    libvirt.disk_bus = 'virtio'
  end
end
RUBY
}

build() {
  local kernel=$1 out=$2
  shift 2
  local rootfs boot packages=() package
  for package in "${SYSTEM[@]}" "${PLAIT[@]}" "${TOOLS[@]}" "$@"; do packages+=(--package "$package"); done
  rootfs=$("$HERE/image.sh" rootfs --systemd "${packages[@]}")
  boot=$("$HERE/image.sh" kernel "$(kernel_package "$kernel")")
  add_user "$rootfs"
  add_network
  quieten
  "$HERE/image.sh" disk --rootfs "$rootfs" --kernel "$boot" --overlay "$OVERLAY" --size "${DISK_GIB}G" --out "$WORK/box/box.img.qcow2" >/dev/null
  mv "$WORK/box/box.img.qcow2" "$WORK/box/box.img"
  cp "$boot/vmlinuz" "$boot/initrd.img" "$WORK/box/"
  write_box_files "$WORK/box"
  mkdir -p "$(dirname "$out")"
  tar -c -f "$out.part" -C "$WORK/box" metadata.json Vagrantfile vmlinuz initrd.img box.img
  mv "$out.part" "$out"
}

main() {
  local kernel=6.1 name=plait/bookworm out="" add=1 extra=()
  while (($#)); do
    case $1 in
      --kernel) kernel=${2:?--kernel wants 6.1 or 6.12} && shift ;;
      --docker) extra=(docker.io iptables) ;;
      --name) name=${2:?--name wants a name} && shift ;;
      --out) out=${2:?--out wants a file} && shift ;;
      --no-add) add= ;;
      *) die "usage: build.sh [--kernel 6.1|6.12] [--docker] [--name NAME] [--out FILE] [--no-add]" ;;
    esac
    shift
  done
  kernel_package "$kernel" >/dev/null
  local started=$SECONDS
  build "$kernel" "${out:=$TOP/dist/vagrant/bookworm-$kernel.box}" "${extra[@]}"
  say "$out: $(du -m "$out" | cut -f 1) MiB, Linux $kernel, in $((SECONDS - started)) s"
  [[ -z $add ]] || vagrant box add --force --provider libvirt --name "$name" "$out" >&2
}

mkdir -p "$TOP/dist/vagrant"
WORK=$(mktemp -d "$TOP/dist/vagrant/.box.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
readonly OVERLAY=$WORK/overlay
mkdir -p "$WORK/box" "$OVERLAY"
chmod 755 "$OVERLAY"
main "$@"

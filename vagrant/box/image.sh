#!/usr/bin/env bash
# Builds what virtual machines boot from, out of Debian packages alone: no loop device, no downloaded image,
# no boot loader (QEMU is given the kernel and the initrd).
#
#   image.sh rootfs [--systemd] [--suite NAME] [--package NAME]...
#                                                      prints the path of a tar: minbase bookworm (or that release)
#                                                      with security updates, kmod and those packages; --systemd makes
#                                                      it bootable to systemd with udev, dbus and networkd
#   image.sh kernel PACKAGE                            prints a directory: vmlinuz, initrd.img, lib/modules/VERSION
#                                                      (a metapackage such as linux-image-cloud-amd64 is followed)
#   image.sh disk --rootfs TAR [--kernel DIR] [--overlay DIR]... [--size 3G] --out FILE
#                                                      an ext4 disk without partitions, qcow2 if FILE ends so, else
#                                                      raw and sparse; an overlay's files are copied over the root,
#                                                      owned by root
#
# The initrd mounts root= (default /dev/vda, ext4, `ro` or rw) and hands over to init= (default /sbin/init); it has
# the modules for that, and loads virtio_net and virtio_console as well. All other modules are on the disk.
#
# Rootfs and kernels are kept in ${PLAIT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/plait}, named by a hash of all that went into
# them. Whoever asks for what is being built waits for it. Newer kernels are looked for once a day; to have newer
# packages in a rootfs, delete it. PLAIT_DEBIAN_MIRROR and PLAIT_DEBIAN_SECURITY name other mirrors.
# What it needs on the host is installed by `vagrant/provision.sh --with-vms`.
set -euo pipefail

SUITE=bookworm
readonly MIRROR=${PLAIT_DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly SECURITY=${PLAIT_DEBIAN_SECURITY:-http://deb.debian.org/debian-security}
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly CACHE=${PLAIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plait}
# crc32c_generic: ext4 asks the crypto layer for it by name, so no dependency lists it.
readonly INITRD_MODULES=(virtio_pci virtio_blk crc32c_generic ext4 virtio_net virtio_console virtio_rng)

say() { printf 'image: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

sources() {
  printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$MIRROR" "$SUITE" "$KEYRING" "$MIRROR" "$SUITE-updates" \
    "$KEYRING" "$SECURITY" "$SUITE-security"
}

short_hash() { sha256sum | cut -c 1-12; }

# cached NAME BUILDER ARG...: prints $CACHE/NAME, which `BUILDER TARGET ARG...` makes when it is not there. The
# target appears by a rename, so that a build which failed or was killed leaves nothing that looks whole.
cached() {
  local name=$1 builder=$2
  shift 2
  local result=$CACHE/$name lock
  exec {lock}>"$CACHE/.$name.lock"
  flock "$lock"
  if [[ ! -e $result ]]; then
    local started=$SECONDS
    say "building $name"
    rm -rf "$CACHE/.$name".part.*
    local part=$CACHE/.$name.part.$$
    PARTS+=("$part")
    "$builder" "$part" "$@" >&2
    mv "$part" "$result"
    say "built $name in $((SECONDS - started)) s"
  fi
  exec {lock}>&-
  printf '%s\n' "$result"
}

# --- rootfs

build_rootfs() {
  local target=$1 packages=$2
  # shellcheck disable=SC2016 # the hook's $1 is mmdebstrap's
  sources | mmdebstrap --quiet --variant=minbase --format=tar --include="$packages" \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname; : >"$1"/etc/resolv.conf; : >"$1"/etc/machine-id' \
    "$SUITE" "$target" -
}

rootfs() {
  local packages=(kmod ca-certificates)
  while (($#)); do
    case $1 in
      --systemd) packages+=(systemd systemd-sysv udev dbus libpam-systemd) ;;
      --suite)
        SUITE=${2:?--suite wants a release of Debian}
        shift
        ;;
      --package)
        packages+=("${2:?--package wants a name}")
        shift
        ;;
      *) die "rootfs: unknown option $1" ;;
    esac
    shift
  done
  local list
  list=$(printf '%s\n' "${packages[@]}" | sort -u | paste -sd,)
  cached "rootfs-$SUITE-$({ sources; declare -f build_rootfs; echo "$list"; } | short_hash).tar" build_rootfs "$list"
}

# --- kernel

# Our own lists, so that it does not matter which release the host runs; the host's proxy settings hold.
apt() {
  local tool=$1
  shift
  "$tool" -q -o Dir="$CACHE/apt" -o Dir::State::status="$CACHE/apt/status" -o APT::Sandbox::User=root \
    -o Dir::Etc::sourceparts=- -o Acquire::Languages=none -o APT::Architecture=amd64 -o APT::Architectures::=amd64 "$@"
}

refresh_lists() {
  local root=$CACHE/apt
  mkdir -p "$root"/etc/apt/preferences.d "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial
  : >>"$root/status"
  local wanted
  wanted=$(sources)
  if [[ $(cat "$root/etc/apt/sources.list" 2>/dev/null) == "$wanted" && -n $(find "$root/fresh" -mtime -1 2>/dev/null) ]]; then
    return
  fi
  printf '%s\n' "$wanted" >"$root/etc/apt/sources.list"
  say "reading Debian's package lists"
  apt apt-get update >&2 || die "read package lists: apt-get update failed (is the network up?)"
  touch "$root/fresh"
}

# The image that a metapackage depends on, or the package itself.
real_kernel() {
  local image
  image=$(apt apt-cache depends --no-recommends --no-suggests "$1" |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  printf '%s\n' "${image:-$1}"
}

# cpio archive of busybox, modules in the order of insertion, and an init.
build_initrd() {
  local target=$1 tree=$2 version=$3 root=$2/initrd busybox module
  busybox=$(command -v busybox) || die "find busybox: install busybox-static"
  mkdir -p "$root"/{bin,dev,proc,sys,newroot,modules}
  cp "$busybox" "$root/bin/busybox"
  for module in "${INITRD_MODULES[@]}"; do
    modprobe -d "$tree" -S "$version" --ignore-install --show-depends "$module"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' >"$tree/order"
  while read -r module; do
    local name=${module##*/}
    case $name in
      *.xz) xz -dc "$module" >"$root/modules/${name%.xz}" ;;
      *.zst) zstd -qdc "$module" >"$root/modules/${name%.zst}" ;;
      *) cp "$module" "$root/modules/$name" ;;
    esac
    name=${name%.xz}
    printf '%s\n' "${name%.zst}" >>"$root/modules/order"
  done <"$tree/order"
  write_init >"$root/init"
  chmod 755 "$root/init"
  (cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$target"
}

write_init() {
  cat <<'INIT'
#!/bin/busybox sh
# The first process: loads modules, mounts the root file system, hands over to its init.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do
  insmod "/modules/$module" 2>/dev/null || echo "initrd: $module is not loaded"
done </modules/order

root=/dev/vda init=/sbin/init mode=rw
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=${word#root=} ;;
    init=*) init=${word#init=} ;;
    ro) mode=ro ;;
  esac
done
tries=0
while [ ! -b "$root" ] && [ $tries -lt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
mount -t ext4 -o $mode "$root" /newroot || { echo "initrd: cannot mount $root"; poweroff -f; }
umount /sys /proc
mount --move /dev /newroot/dev
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /bin/switch_root /newroot "$init" || { echo "initrd: cannot run $init"; /bin/poweroff -f; }
INIT
}

build_kernel() {
  local target=$1 package=$2 deb version
  mkdir "$target"
  (cd "$target" && apt apt-get download "$package" >/dev/null) || die "download $package: apt-get failed"
  deb=$(find "$target" -name '*.deb')
  dpkg-deb -x "$deb" "$target/unpacked"
  version=$(ls "$target/unpacked/lib/modules")
  mv "$target/unpacked/boot/vmlinuz-$version" "$target/vmlinuz"
  mv "$target/unpacked/lib" "$target/lib"
  depmod -b "$target" "$version"
  build_initrd "$target/initrd.img" "$target" "$version"
  printf '%s\n' "$version" >"$target/version"
  rm -rf "$deb" "$target/unpacked" "$target/initrd" "$target/order"
}

kernel() {
  (($# == 1)) || die "usage: image.sh kernel PACKAGE"
  local lock package candidate
  exec {lock}>"$CACHE/.apt.lock"
  flock "$lock"
  refresh_lists
  exec {lock}>&-
  package=$(real_kernel "$1")
  candidate=$(apt apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
  [[ -n $candidate && $candidate != '(none)' ]] || die "find $1: Debian $SUITE has no such package"
  local recipe
  recipe=$(declare -f build_kernel build_initrd write_init)
  cached "kernel-${package#linux-image-}-$(echo "$candidate ${INITRD_MODULES[*]} $recipe" | short_hash)" \
    build_kernel "$package"
}

# --- disk

fill_tree() {
  local tree=$1 rootfs=$2 kernel=$3 overlay
  shift 3
  tar -x --numeric-owner --xattrs --xattrs-include='*' -f "$rootfs" -C "$tree"
  if [[ -n $kernel ]]; then
    mkdir -p "$tree/usr/lib/modules"
    cp -a "$kernel"/lib/modules/* "$tree/usr/lib/modules/"
  fi
  for overlay; do
    tar -c --owner=0 --group=0 -C "$overlay" . | tar -x --keep-directory-symlink -C "$tree"
  done
}

disk() {
  local rootfs="" kernel="" size=3G out="" overlays=()
  while (($#)); do
    local value=${2-}
    [[ -n $value ]] || die "disk: $1 wants a value"
    case $1 in
      --rootfs) rootfs=$value ;;
      --kernel) kernel=$value ;;
      --overlay) overlays+=("$value") ;;
      --size) size=$value ;;
      --out) out=$value ;;
      *) die "disk: unknown option $1" ;;
    esac
    shift 2
  done
  [[ -f $rootfs && -n $out ]] || die "usage: image.sh disk --rootfs TAR [--kernel DIR] [--overlay DIR]... [--size 3G] --out FILE"

  local part=$out.part.$$ tree
  tree=$(mktemp -d "$CACHE/.disk.XXXXXX")
  PARTS+=("$part" "$part.raw" "$tree")
  chmod 755 "$tree"
  fill_tree "$tree" "$rootfs" "$kernel" "${overlays[@]}"
  truncate -s "$size" "$part.raw"
  mke2fs -q -F -t ext4 -L plait -E assume_storage_prezeroed=1 -d "$tree" "$part.raw" || die "make $out: mke2fs failed (is $size too small?)"
  if [[ $out == *.qcow2 ]]; then
    qemu-img convert -q -f raw -O qcow2 "$part.raw" "$part"
    mv "$part" "$out"
  else
    mv "$part.raw" "$out"
  fi
  rm -rf "$tree" "$part.raw"
  printf '%s\n' "$out"
}

check_host() {
  ((EUID == 0)) || die "run as root: files of the images belong to root"
  local tool
  for tool in mmdebstrap mke2fs qemu-img busybox cpio depmod; do
    command -v "$tool" >/dev/null || die "find $tool: not installed (vagrant/provision.sh --with-vms)"
  done
}

PARTS=()
trap 'rm -rf "${PARTS[@]}"' EXIT

main() {
  local command=${1-}
  case $command in
    rootfs | kernel | disk) shift ;;
    *) die "usage: image.sh rootfs|kernel|disk … (the file's header says more)" ;;
  esac
  check_host
  mkdir -p "$CACHE"
  "$command" "$@"
}

main "$@"

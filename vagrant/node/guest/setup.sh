#!/usr/bin/env bash
# Provisions one machine of the testbed, inside it, as root: Plait from its Debian package, etcd on the first machine,
# the agent's settings, and one container on the network `app`. A second run finds nothing to do and changes nothing.
# What is asked for comes as TESTBED_… variables from ../settings.rb.
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly LIBRARY=/usr/local/lib/plait-testbed
readonly NETWORK=app SUBNET=10.10.0.0/24
readonly CONTAINER=web$TESTBED_NODE
readonly TOOLS=(iperf3 sockperf tcpdump ethtool iproute2 iputils-ping jq)

say() { printf 'node%s: %s\n' "$TESTBED_NODE" "$*"; }
die() {
  say "$*" >&2
  exit 1
}

# Writes standard input to a file; true when that changed something.
write() {
  local file=$1 mode=${2:-644}
  mkdir -p "$(dirname "$file")"
  cat >"$file.new"
  if cmp -s "$file" "$file.new"; then
    rm "$file.new"
    return 1
  fi
  chmod "$mode" "$file.new"
  mv "$file.new" "$file"
  say "wrote $file"
}

wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 1
  done
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_packages() {
  local wanted=("${TOOLS[@]}") missing=() package
  ((TESTBED_NODE > 1)) || wanted+=(etcd-server)
  [[ $TESTBED_DOCKER == 0 ]] || wanted+=(docker.io busybox-static)
  for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
  if ((${#missing[@]})); then
    say "installing ${missing[*]}"
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

# By content: a package built again has the same version. Its settings file is ours, and stays.
install_plait() {
  local stamp=/var/lib/plait-testbed/package.sha256 have
  have=$(sha256sum <"$HERE/plait.deb")
  if is_installed plait && [[ $(cat "$stamp" 2>/dev/null) == "$have" ]]; then return; fi
  say "installing Plait $(dpkg-deb -f "$HERE/plait.deb" Version)"
  apt-get -qq install -y --reinstall --allow-downgrades --no-install-recommends -o Dpkg::Options::=--force-confold "$HERE/plait.deb" >/dev/null
  write "$stamp" <<<"$have" >/dev/null || true
}

name_machines() {
  local line
  while read -r line; do grep -qxF "$line" /etc/hosts || echo "$line" >>/etc/hosts; done <<<"$TESTBED_HOSTS"
}

# On the underlay and for this machine alone: there is no TLS towards etcd yet, and who reaches it owns the networks.
run_etcd() {
  local changed=
  write /etc/default/etcd <<END && changed=1
ETCD_NAME=node1
ETCD_LISTEN_CLIENT_URLS=http://$TESTBED_ADDRESS:2379,http://127.0.0.1:2379
ETCD_ADVERTISE_CLIENT_URLS=http://$TESTBED_ADDRESS:2379
ETCD_LISTEN_PEER_URLS=http://127.0.0.1:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=http://127.0.0.1:2380
ETCD_INITIAL_CLUSTER=node1=http://127.0.0.1:2380
END
  write /etc/systemd/system/etcd.service.d/testbed.conf <<END && changed=1
# The address it listens on comes with the network.
[Unit]
After=network-online.target
StartLimitIntervalSec=0
[Service]
Restart=on-failure
RestartSec=2
TimeoutStartSec=300
END
  if [[ -n $changed ]]; then
    # The package started it with the name of the machine, which is another member to it.
    systemctl stop etcd
    rm -rf /var/lib/etcd/default
    systemctl daemon-reload
  fi
  systemctl is-enabled --quiet etcd || systemctl --quiet enable etcd
  systemctl start etcd
}

# A box that has etcd on it has it everywhere.
no_etcd() {
  if systemctl is-enabled --quiet etcd 2>/dev/null; then systemctl --quiet disable --now etcd; fi
}

run_agent() {
  local changed=
  write /etc/default/plait <<END && changed=1
PLAIT_NAME=node$TESTBED_NODE
PLAIT_ADVERTISE_ADDR=$TESTBED_ADDRESS
PLAIT_ETCD=http://$TESTBED_ETCD_ADDRESS:2379
END
  systemctl is-enabled --quiet plait || systemctl --quiet enable plait
  # It is tried on by itself, so what counts is whether it answers in the end.
  if [[ -n $changed ]]; then systemctl restart plait || true; else systemctl start plait || true; fi
  wait_until 600 plait map ls || die "the agent does not answer: journalctl -u plait"
}

has_network() { plait network inspect "$NETWORK"; }

make_network() {
  wait_until 300 plait node ls || die "etcd does not answer: journalctl -u etcd -u plait"
  has_network >/dev/null 2>&1 || {
    plait network create --subnet "$SUBNET" "$NETWORK" >/dev/null
    say "made the network $NETWORK, $SUBNET"
  }
}

run_container() {
  local kind=namespace changed=
  [[ $TESTBED_DOCKER == 0 ]] || kind=docker
  write "/etc/netns/$CONTAINER/resolv.conf" <<<'nameserver 127.0.0.11' && changed=1
  write "$LIBRARY/container" 755 <"$HERE/container" && changed=1
  write /etc/systemd/system/plait-container.service <"$HERE/container.service" && changed=1
  if ! grep -qxF "CONTAINER_KIND=$kind" /etc/default/plait-testbed 2>/dev/null; then
    # With the settings that made it.
    systemctl stop plait-container 2>/dev/null || true
  fi
  write /etc/default/plait-testbed <<END && changed=1
CONTAINER_KIND=$kind
CONTAINER_NAME=$CONTAINER
CONTAINER_NETWORK=$NETWORK
CONTAINER_IP=${SUBNET%.*}.$((10 + TESTBED_NODE))
END
  [[ -z $changed ]] || systemctl daemon-reload
  systemctl is-enabled --quiet plait-container || systemctl --quiet enable plait-container
  systemctl start plait-container 2>/dev/null || true
  if wait_until 300 systemctl is-active --quiet plait-container; then
    say "container $CONTAINER is on $NETWORK"
  else
    say "container $CONTAINER waits for node1, which has etcd and makes the network $NETWORK; it is tried on by itself" >&2
  fi
}

main() {
  ((EUID == 0)) || die "run as root"
  [[ -s $HERE/plait.deb ]] || die "find plait.deb: it is made and uploaded by vagrant up and vagrant provision"
  export DEBIAN_FRONTEND=noninteractive
  install_packages
  name_machines
  if ((TESTBED_NODE == 1)); then run_etcd; else no_etcd; fi
  install_plait
  write "$LIBRARY/compare.sh" 755 <"$HERE/compare.sh" || true
  run_agent
  if ((TESTBED_NODE == 1)); then make_network; fi
  run_container
}

main

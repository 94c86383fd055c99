#!/usr/bin/env bash
# The part of prove.sh that runs with the private libvirt: from `vagrant box add` to `vagrant destroy`.
#
#   prove-inside.sh DIRECTORY [--quick]
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly TESTBED=$HERE/..
readonly DIR=$1 QUICK=${2-}
readonly RESULTS=$DIR/results
readonly NODES=(node1 node2 node3)
export PLAIT_DRIVER=qemu PLAIT_DEB=$DIR/plait.deb VAGRANT_NO_COLOR=1
cd "$TESTBED"
# shellcheck source=vagrant/box/steps.sh
. "$HERE/steps.sh"

run() {
  printf '$ %s\n' "$*"
  "$@"
}

# Without the table of each machine's hardware, and without a bar of progress.
vagrant_run() {
  printf '$ vagrant %s\n' "$*"
  vagrant --no-tty "$@" 2>&1 | grep --line-buffered -v '^==> node[0-9]*:  -- '
}

on() {
  local node=$1
  shift
  [[ -s $DIR/ssh-config ]] || vagrant ssh-config >"$DIR/ssh-config" 2>/dev/null
  ssh -q -o ConnectTimeout=30 -F "$DIR/ssh-config" "$node" "$@"
}

wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "waited in vain for: $*" && return 1; }
    sleep 1
  done
}

# A VBoxManage that does nothing but exist lets Vagrant check the configuration of that provider, too.
validates() {
  local driver
  mkdir -p "$DIR/bin"
  printf '#!/bin/sh\n[ "$1" = --version ] && echo 7.0.20r163906\n' >"$DIR/bin/VBoxManage"
  chmod +x "$DIR/bin/VBoxManage"
  for driver in kvm qemu virtualbox; do
    printf '$ PLAIT_DRIVER=%s vagrant validate\n' "$driver"
    PATH=$DIR/bin:$PATH PLAIT_DRIVER=$driver vagrant validate
  done
}

refuses() {
  local setting
  for setting in PLAIT_DRIVER=xen PLAIT_NODES=0 PLAIT_NODES=many PLAIT_MEMORY=64 PLAIT_UNDERLAY=10.0.0.0/8 PLAIT_DEB=/nowhere PLAIT_DOCKER=yes; do
    printf '$ %s vagrant validate\n' "$setting"
    if env "$setting" vagrant validate >"$DIR/refused" 2>&1; then return 1; fi
    grep "${setting%%=*}" "$DIR/refused"
  done
}

ready_nodes() { on "$1" "sudo plait status --json | jq .nodes.ready"; }
sees_all() { [[ $(ready_nodes "$1") == "${#NODES[@]}" ]]; }

three_nodes() {
  local node
  for node in "${NODES[@]}"; do wait_until 300 sees_all "$node"; done
  run vagrant ssh node1 -c 'sudo plait status'
  reach_each_other
}

# What a change would show in: files, processes and when they were started, what is attached.
fingerprint() {
  local node
  for node in "${NODES[@]}"; do
    on "$node" "sudo sh -c 'find /etc /usr /var/lib/plait-testbed -xdev -type f -printf \"%p %T@ %s\\n\" | sort | sha256sum
      systemctl show -p ExecMainPID -p ActiveEnterTimestamp plait etcd plait-container
      plait endpoint ls --format json; plait network ls --format json'"
  done
}

provision_again() {
  fingerprint >"$DIR/before"
  vagrant_run provision
  fingerprint >"$DIR/after"
  diff "$DIR/before" "$DIR/after" && echo "nothing has changed"
}

answers() { on "$1" "sudo ip netns exec web${1#node} ping -n -c 1 -W 2 $2"; }

reach_each_other() {
  local from to
  for from in "${NODES[@]}"; do
    for to in "${NODES[@]}"; do
      if [[ $from != "$to" ]]; then wait_until 60 answers "$from" "web${to#node}"; fi
    done
  done
  echo "all containers answer each other by name"
}

# Counted traffic between web1 and web2, in both directions, in batches until it is told to stop: a batch waits for its
# last answers, so that what is on its way is not taken for lost.
start_traffic() {
  local pair
  for pair in "1 2" "2 1"; do
    on "node${pair% *}" "sudo rm -f /run/traffic.stop /run/traffic
      sudo systemd-run -q --collect --unit traffic -p StandardOutput=file:/run/traffic sh -c '
        until [ -e /run/traffic.stop ]; do ip netns exec web${pair% *} ping -n -q -i 0.02 -c 250 web${pair#* }; done'"
  done
}

stop_traffic() {
  local node count
  for node in node1 node2; do
    on "$node" "sudo touch /run/traffic.stop"
    wait_until 120 on "$node" "! systemctl is-active -q traffic"
    count=$(on "$node" "sudo cat /run/traffic" | sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' |
      awk '{sent += $1; received += $2} END {print sent, received}')
    echo "$node: ${count% *} sent, ${count#* } answered"
    ((${count% *} >= 250 && ${count% *} == ${count#* }))
  done
}

reload_in_traffic() {
  start_traffic
  vagrant_run reload node3
  local since=$SECONDS
  wait_until 300 sees_all node1
  wait_until 300 answers node1 web3
  echo "web3 answers node1's container by name $((SECONDS - since)) s after the end of vagrant reload, without provisioning"
  stop_traffic
  reach_each_other
}

# As pulling the plug: no shutdown, and nothing but the machine itself brings it back.
power_cut() {
  local node=$1 other=$2 started
  run virsh -q destroy "plait-$node"
  started=$SECONDS
  run virsh -q start "plait-$node"
  wait_until 480 answers "$other" "web${node#node}"
  echo "web${node#node} answers again $((SECONDS - started)) s after power-on"
  wait_until 300 sees_all "$other"
  reach_each_other
  on "$node" "sudo plait verify"
}

power_cut_in_traffic() {
  start_traffic
  power_cut node3 node1
  stop_traffic
}

destroyed() {
  vagrant_run destroy -f
  [[ -z $(virsh -q list --all --name) ]]
  virsh -q net-list --all
  ! virsh -q net-list --all --name | grep -q plait
}

must "vagrant box add" run vagrant --no-tty box add --provider libvirt --name plait/bookworm "$DIR/bookworm.box"
step "vagrant validate, for each driver" validates
step "wrong settings are refused by name" refuses
must "vagrant up: three emulated machines" vagrant_run up
must "plait status sees three nodes" three_nodes
step "vagrant provision again changes nothing" provision_again
step "demo.sh" run ./demo.sh ${QUICK:+--no-benchmark}
step "vagrant reload node3, counted traffic between web1 and web2" reload_in_traffic
if [[ -z $QUICK ]]; then
  step "power cut of node3, counted traffic between web1 and web2" power_cut_in_traffic
  step "power cut of node1, with the only etcd" power_cut node1 node2
fi
step "vagrant destroy" destroyed

#!/usr/bin/env bash
# Shows, from the host and over ssh, that the testbed's containers talk: pings by address and by name between all of
# them, the decoded wire, the maps, the drops, and a comparison with the kernel's vxlan between two of the machines.
# It reads as a transcript; a step that fails ends it with exit code 1.
#
#   vagrant/demo.sh [--no-benchmark]        after `vagrant up`
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly WORK=$(mktemp -d)

die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

heading() { printf '\n--- %s\n' "$*"; }

# One connection to each machine for all of the demonstration: an emulated machine needs seconds for a new one.
connect() {
  local node
  (cd "$HERE" && vagrant ssh-config) >"$WORK/config" 2>/dev/null || true
  mapfile -t NODES < <(sed -n 's/^Host //p' "$WORK/config")
  ((${#NODES[@]} >= 2)) || die "find two running machines: vagrant up comes first (vagrant status tells)"
  for node in "${NODES[@]}"; do
    ssh -F "$WORK/config" -o ControlMaster=yes -o ControlPath="$WORK/%n" -fN "$node" || die "connect to $node: ssh failed"
  done
}

disconnect() {
  local node
  for node in "${NODES[@]:-}"; do
    [[ ! -S $WORK/$node ]] || ssh -q -F "$WORK/config" -o ControlPath="$WORK/%n" -O exit "$node" 2>/dev/null || true
  done
  rm -rf "$WORK"
}

# As root on a machine; inside the container of a machine.
on() {
  local node=$1
  shift
  ssh -q -F "$WORK/config" -o ControlPath="$WORK/%n" "$node" "sudo sh -c $(printf '%q' "$*")"
}

show() {
  printf '%s# %s\n' "$1" "${*:2}"
  on "$@"
}

container() { echo "web${1#node}"; }
inside() { on "$1" "ip netns exec $(container "$1") ${*:2}"; }
show_inside() {
  printf '%s# %s\n' "$(container "$1")" "${*:2}"
  inside "$@"
}

address_of() { inside "$1" ip -4 -o address show eth0 | sed -n 's/.* inet \([0-9.]*\).*/\1/p'; }

round_trip() {
  local output
  output=$(inside "$1" ping -n -c 1 -W 5 "$2") || die "ping from $(container "$1") to $2: no answer"
  sed -n 's/.*time=\([0-9.]* ms\).*/\1/p' <<<"$output"
}

ping_all() {
  local from to line address
  local -A addresses
  for to in "${NODES[@]}"; do addresses[$to]=$(address_of "$to"); done
  for from in "${NODES[@]}"; do
    line=
    for to in "${NODES[@]}"; do
      [[ $from != "$to" ]] || continue
      for address in "$(container "$to")" "${addresses[$to]}"; do
        line+="${line:+, }$address $(round_trip "$from" "$address")"
      done
    done
    printf '%s# ping   %s\n' "$(container "$from")" "$line"
  done
}

# Outer addresses are the machines', the network's number is in the VXLAN header, inside is the containers' packet.
show_wire() {
  local from=${NODES[0]} to=${NODES[1]} device captured
  device=$(on "$to" "plait status --json | jq -r .underlay.device")
  printf '%s# tcpdump -nn -v -i %s udp port 4789\n' "$to" "$device"
  on "$to" "timeout 60 tcpdump -nn -v -l -c 2 -i $device udp port 4789 2>$WORK_GUEST.log >$WORK_GUEST & until grep -q listening $WORK_GUEST.log; do sleep 0.1; done; echo \$! >$WORK_GUEST.pid" </dev/null
  inside "$from" ping -n -c 2 -i 0.5 "$(container "$to")" >/dev/null
  captured=$(on "$to" "while kill -0 \$(cat $WORK_GUEST.pid) 2>/dev/null; do sleep 0.1; done; cat $WORK_GUEST; rm -f $WORK_GUEST $WORK_GUEST.log $WORK_GUEST.pid")
  printf '%s\n' "$captured"
  grep -q 'VXLAN, flags \[I\] (0x08), vni' <<<"$captured" || die "capture the wire: no VXLAN in it"
}

# Three ways between the same two machines, in turns: their own addresses, the kernel's vxlan + bridge, Plait.
compare() {
  local near=${NODES[0]} far=${NODES[1]} script=/usr/local/lib/plait-testbed/compare.sh near_address far_address
  near_address=$(on "$near" "plait status --json | jq -r .node.vtep")
  far_address=$(on "$far" "plait status --json | jq -r .node.vtep")
  COMPARED=("$near" "$far")
  on "$near" "$script build 1 $near_address $far_address"
  on "$far" "$script build 2 $far_address $near_address"
  on "$far" "$script serve tcp-stream,tcp-rr,udp-64 host compare $(container "$far")"
  on "$near" "plait bench --repetitions 3 --seconds 2 --workload tcp-stream,tcp-rr,udp-64 --client bare=$far_address --client kernel=10.77.0.2@compare --client plait=$(address_of "$far")@$(container "$near")"
  compared
}

compared() {
  local node
  for node in "${COMPARED[@]}"; do on "$node" "/usr/local/lib/plait-testbed/compare.sh remove" || true; done
  COMPARED=()
}

main() {
  local benchmark=1 node
  case ${1-} in
    '') ;;
    --no-benchmark) benchmark= ;;
    *) die "usage: demo.sh [--no-benchmark]" ;;
  esac
  command -v vagrant >/dev/null || die "find vagrant: it is not installed"
  connect

  heading "the machines, as node1 sees them"
  show "${NODES[0]}" plait node ls
  show "${NODES[0]}" plait status
  heading "a network, and a container on each machine"
  show "${NODES[0]}" plait network ls
  show "${NODES[0]}" plait endpoint ls
  heading "every container reaches every other, by name and by address"
  ping_all
  show_inside "${NODES[0]}" getent hosts "$(container "${NODES[1]}")"
  heading "what the wire between the machines carries"
  show_wire
  heading "what the datapath knows and has counted"
  show "${NODES[0]}" plait map dump fdb
  for node in "${NODES[@]}"; do show "$node" plait drops; done
  for node in "${NODES[@]}"; do show "$node" plait verify; done
  [[ -z $benchmark ]] || { heading "against the kernel's vxlan and bridge, between the same machines" && compare; }
  heading "all of it worked, in $SECONDS s"
}

readonly WORK_GUEST=/run/plait-demo
NODES=() COMPARED=()
trap 'compared; disconnect' EXIT
main "$@"

#!/usr/bin/env bash
# What `plait bench` needs between two machines that it does not build itself: the kernel's overlay as Docker's driver
# builds it, beside Plait's, and servers in several network namespaces. It runs inside the machines; what drives them
# (ssh, a console) calls it, and then, on the near machine, `plait bench --client kernel=10.77.0.2@compare …`.
#
#   both    compare.sh build NUMBER LOCAL PEER     this is member NUMBER (1 or 2) with the underlay address LOCAL;
#                                                  its container is in the namespace "compare" and has 10.77.0.NUMBER
#   far     compare.sh serve WORKLOADS NETNS...    `plait bench --server` for these workloads (with commas) in these
#                                                  namespaces: "host" is the machine's own, others as in `ip netns`
#   both    compare.sh remove                      takes all of that away
#
# The kernel's overlay uses UDP port 4790, because 4789 is Plait's. Plait's program runs for its packets too, and lets
# them pass; so it does for the host's own. Root; jq and the tools of the workloads.
set -euo pipefail

readonly VNI=4097 PORT=4790 CONTAINER=compare SANDBOX=compare-net
readonly STATE=/run/plait-compare

die() {
  printf 'compare: %s\n' "$*" >&2
  exit 1
}

# --- the kernel's overlay

# Bridge and vxlan device in a namespace of the network's; the device is born in the host's, so that its socket stays
# there; entries are static. IPv4 and IPv6 underlay take 50 and 70 bytes.
build() {
  (($# == 3)) || die "usage: compare.sh build NUMBER LOCAL PEER"
  local number=$1 local=$2 peer=$3 other=$((3 - $1)) overhead=50 device mtu
  [[ $local != *:* ]] || overhead=70
  device=$(ip -j route get "$peer" | jq -r '.[0].dev')
  mtu=$(($(<"/sys/class/net/$device/mtu") - overhead))
  remove_overlay
  ip netns add "$SANDBOX"
  ip netns add "$CONTAINER"
  ip link add vxlan0 netns "$SANDBOX" type vxlan id "$VNI" local "$local" dstport "$PORT" nolearning proxy l2miss l3miss
  ip -n "$SANDBOX" -batch - <<LINES
link add br0 mtu $mtu type bridge mcast_snooping 0
link set vxlan0 mtu $mtu master br0 up
link add veth0 mtu $mtu type veth peer name eth0 mtu $mtu address 02:00:00:77:00:0$number netns $CONTAINER
link set veth0 master br0 up
link set br0 up
neighbour add 10.77.0.$other lladdr 02:00:00:77:00:0$other dev vxlan0 nud permanent
LINES
  bridge -n "$SANDBOX" fdb add "02:00:00:77:00:0$other" dev vxlan0 dst "$peer" self permanent
  ip -n "$CONTAINER" link set lo up
  ip -n "$CONTAINER" address add "10.77.0.$number/24" dev eth0
  ip -n "$CONTAINER" link set eth0 up
}

remove_overlay() {
  local name
  for name in "$CONTAINER" "$SANDBOX"; do
    [[ ! -e /run/netns/$name ]] || ip netns delete "$name"
  done
}

# --- servers

serve() {
  (($# >= 2)) || die "usage: compare.sh serve WORKLOADS NETNS..."
  local workloads=$1 netns enter
  shift
  stop_servers
  mkdir -p "$STATE"
  for netns; do
    enter=()
    [[ $netns == host ]] || enter=(nsenter --net="/run/netns/$netns")
    "${enter[@]}" plait bench --server --workload "$workloads" </dev/null >"$STATE/$netns.log" 2>&1 &
    echo $! >>"$STATE/pids"
    wait_serving "$netns" $!
  done
}

# wait_serving NETNS PID: until it says so. It waits for its own servers, and gives up by itself.
wait_serving() {
  local log="$STATE/$1.log" words
  until grep -q 'the servers listen' "$log"; do
    if ! kill -0 "$2" 2>/dev/null; then
      words=$(tail -n 3 "$log")
      stop_servers
      die "start servers in $1: $words"
    fi
    sleep 0.1
  done
}

stop_servers() {
  local pid
  [[ -e $STATE/pids ]] || return 0
  while read -r pid; do
    kill "$pid" 2>/dev/null || continue
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  done <"$STATE/pids"
  rm -rf "$STATE"
}

main() {
  ((EUID == 0)) || die "run as root"
  local command=${1-}
  shift || true
  case $command in
    build | serve) "$command" "$@" ;;
    remove)
      stop_servers
      remove_overlay
      ;;
    *) die "usage: compare.sh build|serve|remove … (the file's header says more)" ;;
  esac
}

main "$@"

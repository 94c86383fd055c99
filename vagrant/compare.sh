#!/usr/bin/env bash
# Compares three ways between two machines, host to host, the kernel's vxlan + bridge, and Plait, by standard tools.
# It runs inside the machines; what drives them (ssh, a console) only calls it.
#
#   both    compare.sh build NUMBER LOCAL PEER     the kernel's overlay as Docker's driver builds it, beside Plait's:
#                                                  this is member NUMBER (1 or 2) with the underlay address LOCAL;
#                                                  its container is in the namespace "compare" and has 10.77.0.NUMBER
#   far     compare.sh serve NETNS...              servers in these namespaces ("host": the machine's own)
#   near    compare.sh run [-r REPETITIONS] [-s SECONDS] [-w WORKLOADS] NAME=NETNS=ADDRESS...
#                                                  measures from each namespace to each address, in an order that
#                                                  rotates, and prints a JSON line for each figure and, in the end,
#                                                  one for each workload: medians, and the last way's in shares of
#                                                  the others'
#   both    compare.sh remove                      takes all of that away
#
# Workloads: tcp (one stream, Mbit/s), udp (18 bytes as fast as it goes, 1000 packets/s received), ping-pong (TCP, half
# a round trip, µs). A namespace is a name as in `ip netns`, or a path. Root; iperf3, sockperf, jq.
#
# The kernel's overlay uses UDP port 4790, because 4789 is Plait's. Plait's program runs for its packets too, and lets
# them pass; so it does for the host's own.
set -euo pipefail

readonly VNI=4097 PORT=4790 CONTAINER=compare SANDBOX=compare-net
readonly IPERF_PORT=5301 SOCKPERF_PORT=5302
readonly SMALL=18
readonly STATE=/run/plait-compare

die() {
  printf 'compare: %s\n' "$*" >&2
  exit 1
}

# within NETNS COMMAND...
within() {
  local netns=$1
  shift
  case $netns in
    host) "$@" ;;
    /*) nsenter --net="$netns" "$@" ;;
    *) nsenter --net="/run/netns/$netns" "$@" ;;
  esac
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
  within "$SANDBOX" bridge fdb add "02:00:00:77:00:0$other" dev vxlan0 dst "$peer" self permanent
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
  (($#)) || die "usage: compare.sh serve NETNS..."
  stop_servers
  mkdir -p "$STATE"
  local netns
  for netns; do
    start_server within "$netns" iperf3 -s -p "$IPERF_PORT"
    start_server within "$netns" sockperf sr --tcp -p "$SOCKPERF_PORT"
    wait_listening "$netns" "$IPERF_PORT"
    wait_listening "$netns" "$SOCKPERF_PORT"
  done
}

start_server() {
  "$@" </dev/null >>"$STATE/log" 2>&1 &
  echo $! >>"$STATE/pids"
}

wait_listening() {
  local tries
  for tries in {1..200}; do
    [[ -z $(within "$1" ss -Hltn "sport = :$2") ]] || return 0
    sleep 0.05
  done
  die "nothing listens at port $2 of $1 after $tries tries: $(tail -n 3 "$STATE/log")"
}

stop_servers() {
  [[ ! -e $STATE/pids ]] || xargs -r kill <"$STATE/pids" 2>/dev/null || true
  rm -rf "$STATE"
}

# --- figures

# measure WORKLOAD NETNS ADDRESS SECONDS: prints one number.
measure() {
  local workload=$1 netns=$2 address=$3 seconds=$4
  local client=(within "$netns" iperf3 -c "$address" -p "$IPERF_PORT" -t "$seconds" -J)
  case $workload in
    tcp) "${client[@]}" -O 1 | jq '.end.sum_received.bits_per_second / 1e6' ;;
    # What the receiver counted, by the datagrams' numbers.
    udp) "${client[@]}" -u -b 0 -l "$SMALL" | jq '.end.sum | (.packets - .lost_packets) / .seconds / 1000' ;;
    ping-pong)
      within "$netns" sockperf pp --tcp -i "$address" -p "$SOCKPERF_PORT" -t "$seconds" -m "$SMALL" 2>&1 |
        sed -n 's/.*percentile 50.000 = *\([0-9.]*\).*/\1/p'
      ;;
    *) die "measure $workload: there are tcp, udp and ping-pong" ;;
  esac
}

run() {
  local repetitions=5 seconds=3 workloads=tcp,udp,ping-pong option
  while getopts r:s:w: option; do
    case $option in
      r) repetitions=$OPTARG ;;
      s) seconds=$OPTARG ;;
      w) workloads=$OPTARG ;;
      *) die "usage: compare.sh run [-r REPETITIONS] [-s SECONDS] [-w WORKLOADS] NAME=NETNS=ADDRESS..." ;;
    esac
  done
  shift $((OPTIND - 1))
  (($#)) || die "run: name at least one way, NAME=NETNS=ADDRESS"
  local ways=("$@")
  figures=$(mktemp) # for the trap, which runs outside
  trap 'rm -f "$figures"' EXIT
  all_figures "$repetitions" "$seconds" "$workloads" | tee "$figures"
  summary "${ways[-1]%%=*}" <"$figures"
}

# all_figures REPETITIONS SECONDS WORKLOADS: the order rotates, so that a slow minute hits all ways.
all_figures() {
  local workload repetition turn
  for workload in ${3//,/ }; do
    for ((repetition = 0; repetition < $1; repetition++)); do
      for turn in "${!ways[@]}"; do
        one_figure "$workload" "${ways[(turn + repetition) % ${#ways[@]}]}" "$2"
      done
    done
  done
}

# one_figure WORKLOAD WAY SECONDS: a server that is still busy with the last one gets a second try.
one_figure() {
  local name netns address value
  IFS="=" read -r name netns address <<<"$2"
  value=$(measure "$1" "$netns" "$address" "$3") || value=''
  if [[ ! $value =~ ^[0-9.e+]+$ ]]; then
    sleep 1
    value=$(measure "$1" "$netns" "$address" "$3") || value=''
  fi
  [[ $value =~ ^[0-9.e+]+$ ]] || die "measure $1 by way of $name: no figure (is compare.sh serve running there?)"
  jq -nc --arg workload "$1" --arg way "$name" --argjson value "$value" '{$workload, $way, $value}'
}

# summary WAY: for each workload medians, ranges, and that way's median in shares of the others'.
summary() {
  # shellcheck disable=SC2016 # the dollars are jq's
  jq -sc --arg way "$1" '
    def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
    group_by(.workload)[]
    | (group_by(.way) | map({key: .[0].way, value: map(.value)}) | from_entries) as $values
    | ($values | map_values(median)) as $medians
    | {summary: .[0].workload, $medians, ranges: ($values | map_values([min, max])),
       ratios: ($medians | map_values($medians[$way] / .))}'
}

main() {
  ((EUID == 0)) || die "run as root"
  local command=${1-}
  shift || true
  case $command in
    build | serve | run) "$command" "$@" ;;
    remove)
      stop_servers
      remove_overlay
      ;;
    *) die "usage: compare.sh build|serve|run|remove … (the file's header says more)" ;;
  esac
}

main "$@"

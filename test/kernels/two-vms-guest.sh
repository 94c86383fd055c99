# Sourced in a guest of the two-VM scenario before each command: what the steps are written in. The product is at
# /media/plait; the two machines are 1 and 2, their containers c1 and c2, endpoints web1 and web2.
# shellcheck shell=bash

readonly PRODUCT=/media/plait
readonly SOCKET=/run/plait/plait.sock
export PATH=$PRODUCT/bin:$PATH # plait
AGENT_LOG=/run/agent.log

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# set_up N: the underlay's addresses and a container.
set_up() {
  ip address add "192.0.2.$1/24" dev eth0
  ip address add "2001:db8::$1/64" dev eth0 nodad
  ip link set eth0 up
  ip netns add "c$1"
  nsenter --net="/run/netns/c$1" ip link set lo up
  echo '127.0.0.1 localhost' >/etc/hosts
  echo 'nameserver 127.0.0.11' >/etc/resolv.conf
}

start_etcd() {
  setsid etcd --data-dir /run/etcd --listen-client-urls http://0.0.0.0:2379 --listen-peer-urls http://127.0.0.1:2380 \
    --advertise-client-urls http://192.0.2.1:2379 >/run/etcd.log 2>&1 </dev/null &
  until curl -sf -o /dev/null http://127.0.0.1:2379/health; do
    kill -0 $! 2>/dev/null || die "etcd ended: $(tail -n 3 /run/etcd.log)"
    sleep 0.1
  done
}

# start_agent N ADDRESS: returns when it answers.
start_agent() {
  : >"$AGENT_LOG"
  setsid "$PRODUCT/node" "$PRODUCT/dist/src/cli.js" agent --name "n$1" --advertise-addr "$2" \
    --etcd http://192.0.2.1:2379 >>"$AGENT_LOG" 2>&1 </dev/null &
  echo $! >/run/agent.pid
  # Its log is looked at first: a curl a tick would take a fifth of an emulated processor from it.
  until tail -n 5 "$AGENT_LOG" | grep -q '"the agent is up"' && api GET /v1/status >/dev/null 2>&1; do
    kill -0 $! 2>/dev/null || die "the agent ended: $(tail -n 3 "$AGENT_LOG")"
    sleep 0.2
  done
}

# end_agent SIGNAL
end_agent() {
  local pid
  pid=$(</run/agent.pid)
  kill "-$1" "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# api METHOD PATH [JSON]: prints the answer; what the agent refuses is an error.
api() {
  local answer
  answer=$(curl -s --show-error -w '\n%{http_code}' --unix-socket "$SOCKET" -X "$1" ${3:+-H 'content-type: application/json' -d "$3"} "http://plait$2") ||
    return 1
  if [[ ${answer##*$'\n'} != 2* ]]; then
    printf '%s\n' "$1 $2: ${answer%$'\n'*}" >&2
    return 1
  fi
  printf '%s\n' "${answer%$'\n'*}"
}

# attach N: the container c<N> as endpoint web<N>.
# An emulated machine may be too slow for etcd's patience once.
attach() {
  local tries
  for tries in {1..3}; do
    attach_once "$1" && return
    sleep 1
  done
  die "no success in $tries tries"
}

attach_once() {
  api POST /v1/endpoints "{\"network\":\"app\",\"name\":\"web$1\",\"netns\":\"/run/netns/c$1\",\"ip\":[\"10.10.0.1$1\",\"fd10:10::1$1\"]}"
}

# inside COMMAND...: in this machine's container.
inside() { nsenter --net="$(echo /run/netns/c?)" "$@"; }

# Packets of every drop and event that were counted until now, and what the container's host end and the container
# have seen: one "name number" per line.
counters() {
  api GET /v1/drops | jq -r '(.drops, .events)[] | "\(.name) \(.packets)"'
  local end
  end=$(host_end)
  awk -v end="$end:" '$1 == end {
    print "container-sent-bytes", $2; print "container-sent", $3; print "host-end-lost", $4 + $5 + $12 + $13
    print "container-got-bytes", $10; print "container-got", $11 }' /proc/net/dev
  inside nstat -asz TcpInCsumErrors UdpInCsumErrors Icmp6InCsumErrors IcmpInCsumErrors |
    awk 'NF == 3 { sum += $2 } END { print "checksum-errors", sum + 0 }'
  # What was delivered by bpf_redirect_peer is counted by the container's end alone.
  inside awk '$1 == "eth0:" { print "inside-got-bytes", $2; print "inside-got", $3 }' /proc/net/dev
}

host_end() { api GET "/v1/endpoints/web$(echo /run/netns/c? | tail -c 2)" | jq -r .local.hostIfname; }

# offloads on|off DEVICE FEATURE...
offloads() {
  local state=$1 device=$2 feature
  shift 2
  for feature; do ethtool -K "$device" "$feature" "$state" >/dev/null; done
}

# serve PORT: an iperf3 server inside the container for one test.
serve() {
  inside iperf3 -s -1 -p "$1" >"/run/iperf-$1" 2>&1 </dev/null &
  wait_listening "$1"
}

# receive PORT FAMILY, sum PORT: the checksum of what somebody sends there. The subshell's own output must not be the command's,
# which would not end before it.
receive() {
  (inside nc "-$2" -l -N "$1" </dev/null 2>/dev/null | sha256sum) >"/run/sum-$1" 2>/dev/null &
  wait_listening "$1"
}

sum() {
  until [[ -s /run/sum-$1 ]]; do sleep 0.05; done
  cat "/run/sum-$1"
}

# send BYTES ADDRESS PORT: random bytes; prints their checksum.
send() {
  head -c "$1" /dev/urandom | tee >(sha256sum >"/run/sum-$3") | inside nc -N "$2" "$3" >/dev/null
  sum "$3"
}

wait_listening() {
  local tries
  for tries in {1..100}; do
    inside ss -Hltn "sport = :$1" | grep -q . && return
    sleep 0.05
  done
  die "nothing listens at port $1 after $tries tries"
}

# start_ping ADDRESS INTERVAL, end_ping: all the while something else happens. By nsenter itself and no function, so that
# its pid is ping's. Prints how many were sent until the last that came back, and how many of those came back: what is
# on its way when ping ends is not lost.
start_ping() {
  nsenter --net="$(echo /run/netns/c?)" ping -n -i "$2" "$1" >/run/ping 2>&1 </dev/null &
  echo $! >/run/ping.pid
}

end_ping() {
  kill -INT "$(</run/ping.pid)"
  while kill -0 "$(</run/ping.pid)" 2>/dev/null; do sleep 0.02; done
  sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' /run/ping | awk '$1 > last { last = $1 } END { print last + 0, NR }'
}

# start_xdp DEVICE, end_xdp: a program that passes and counts; what became of it is in /run/xdp.
start_xdp() {
  rm -f /run/xdp.end
  "$PRODUCT/node" "$PRODUCT/xdp.mjs" "$1" /run/xdp.end >/run/xdp 2>&1 </dev/null &
  echo $! >/run/xdp.pid
  until grep -q ^attached /run/xdp; do
    kill -0 $! 2>/dev/null || die "XDP: $(cat /run/xdp)"
    sleep 0.05
  done
}

end_xdp() {
  : >/run/xdp.end
  while kill -0 "$(</run/xdp.pid)" 2>/dev/null; do sleep 0.02; done
}

compare() { bash "$PRODUCT/compare.sh" "$@"; }

# What each program cost since kernel.bpf_stats_enabled was set.
program_costs() {
  bpftool -j prog show | jq -c '.[] | select(.name | startswith("from_")) | select(.run_cnt > 0)
    | {program: .name, runs: .run_cnt, ns: (.run_time_ns / .run_cnt | floor)}'
}

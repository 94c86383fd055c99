/* What the far end of a measurement listens on, on all its addresses. Fixed, so that a firewall can be told. */

/** Answers with counters of the far machine; it can be asked for nothing else. */
export const CONTROL_PORT = 5200;
export const IPERF3_PORT = 5201;
/** sockperf over TCP for one connection at a time, and over UDP for any number of peers. */
export const SOCKPERF_PORT = 5202;
export const NGINX_PORT = 5203;
export const REDIS_PORT = 5204;
/** iperf3's server takes one client at a time: a second client host has its own. */
export const SECOND_IPERF3_PORT = 5205;
/** sockperf's server takes one connection per TCP port: many have one each, from this on. */
export const FIRST_FLOW_PORT = 5210;
/** Connections, or UDP peers, of the concurrent request/response workloads. */
export const FLOWS = 32;

/* The systemd unit of the agent. One text for the Debian package and for `plait service install`. */
import { DEFAULTS_FILE } from './settings.js';

export const UNIT = 'plait.service';

/** Seconds. */
export const START_LIMIT_S = 300;

/**
 * What it may not have, and why not more is taken away: nothing that gives the service a mount namespace of its own
 * (ProtectSystem and the like), since what it mounts (bpffs) and what others mount (namespaces in /run/netns) must be
 * seen on both sides; no MemoryDenyWriteExecute, since V8 compiles. SYS_PTRACE opens the namespaces of other users'
 * processes, SYS_RESOURCE lifts the memory limit of maps on old kernels.
 *
 * It is tried for ever: an address or a network that comes late is a matter of seconds after a boot, and of a person's
 * time in other cases. An etcd that comes late is no reason to end at all. Only a wrong setting (exit code 2) does
 * not mend itself. After `plait leave` the agent ends with 0 and stays down. A start takes seconds; on a machine that is
 * short of CPU time it may take minutes, and to end it then would be to begin again for ever.
 *
 * @param command the absolute path of `plait`, after that of its interpreter if it needs one
 */
export function unitText(command: string): string {
  return `[Unit]
Description=Plait agent: container overlay network
Wants=network-online.target
After=network-online.target etcd.service
Before=docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=-${DEFAULTS_FILE}
ExecStart=${command} agent
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=${START_LIMIT_S}
TimeoutStopSec=30
KillMode=mixed
RuntimeDirectory=plait
StateDirectory=plait
StateDirectoryMode=0700
LimitMEMLOCK=infinity
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
SystemCallArchitectures=native
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_BPF CAP_PERFMON
CapabilityBoundingSet=CAP_SYS_RESOURCE CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_KILL

[Install]
WantedBy=multi-user.target
`;
}

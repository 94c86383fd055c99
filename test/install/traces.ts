// What a machine is, as text: equal before and after means that nothing is left.

import type { Machine } from './machine.js';

/**
 * Left out: what any installation by apt or npm leaves of its own, logs, and what changes by itself, as the lifetime of
 * an advertised route. Kernel modules stay loaded until the next boot; no setting of theirs is counted.
 */
const PRUNED = [
  '/proc /sys /dev /run /tmp /var/tmp /var/log /var/cache /root/.npm /root/.cache',
  '/var/lib/apt /var/lib/dpkg /var/lib/systemd /var/lib/etcd',
].join(' ');

const PARTS: Record<string, string> = {
  links: `ip -j link | tr '}' '\\n' | sed 's/"operstate":"[A-Z]*",//; s/"ifindex":[0-9]*,//'`,
  addresses:
    'ip -o address show scope global | sed "s/valid_lft.*//"; ip rule; ip route; ip -6 route show default | sed "s/expires [0-9]*sec//"',
  qdiscs: 'tc qdisc show',
  bpffs: 'find /sys/fs/bpf -mindepth 1 | sort',
  mounts: 'grep -E "bpf|plait" /proc/mounts || :',
  nftables: 'if command -v nft >/dev/null; then nft list ruleset; fi',
  settings: 'cd /proc/sys/net && grep -rs . ipv4/conf ipv6/conf ipv4/ip_forward ipv6/bindv6only core | sort',
  files: `find / -xdev \\( $(printf -- '-path %s -o ' ${PRUNED}) -false \\) -prune -o -printf '%y %m %p\\n' | sort`,
  contents: 'find /etc -type f -not -name ld.so.cache -exec md5sum {} + | sort -k 2',
  runtime: 'find /run -name "*plait*" -not -path "/run/udev/*" -not -name "plait-vm*"; ls /dev/shm',
  units: 'systemctl list-unit-files --no-legend | grep -v "^run-\\|\\.mount"; systemctl --failed --no-legend',
  packages: 'dpkg --get-selections',
  processes: 'cat /proc/[0-9]*/comm 2>/dev/null | grep -E "^(node|plait|MainThread)" || :',
};

export type Traces = Record<string, string>;

export async function traces(machine: Machine): Promise<Traces> {
  const found: Traces = {};
  for (const [name, script] of Object.entries(PARTS)) found[name] = await machine.sh(script);
  return found;
}

/** Names the first part that differs, with the lines that came and went. */
export function assertSame(before: Traces, after: Traces): void {
  const differences = Object.keys(PARTS).flatMap((name) => {
    const [old, now] = [lines(before[name]), lines(after[name])];
    const came = [...now].filter((line) => !old.has(line)).map((line) => `${name}: + ${line}`);
    const went = [...old].filter((line) => !now.has(line)).map((line) => `${name}: - ${line}`);
    return [...came, ...went];
  });
  if (differences.length > 0) throw new Error(`it is not as before:\n${differences.slice(0, 40).join('\n')}`);
}

function lines(text = ''): Set<string> {
  return new Set(text.split('\n'));
}

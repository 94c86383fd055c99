/*
 * The agent's settings as systemd gives them to it: variables in a file. Each stands for an option of `plait agent`,
 * which reads it by itself (commands/agent.ts).
 */

export const DEFAULTS_FILE = '/etc/default/plait';

export interface Setting {
  readonly variable: string;
  /** What it means, as it stands in the file. */
  readonly comment: string;
  readonly example: string;
}

export const SETTINGS: readonly Setting[] = [
  {
    variable: 'PLAIT_ETCD',
    comment: "Members of the cluster's etcd, with commas.",
    example: 'http://192.0.2.10:2379',
  },
  {
    variable: 'PLAIT_ADVERTISE_ADDR',
    comment: "This host's address on the underlay. Without it: that of the default route.",
    example: '192.0.2.1',
  },
  {
    variable: 'PLAIT_NAME',
    comment: 'Name of this node. Without it: the name of the host.',
    example: 'n1',
  },
  {
    variable: 'PLAIT_PORT',
    comment: 'UDP port for VXLAN, the same on all nodes.',
    example: '4789',
  },
  {
    variable: 'PLAIT_XDP',
    comment: 'XDP on the underlay device: auto, native, generic, deliver or off.',
    example: 'auto',
  },
  {
    variable: 'PLAIT_LINK',
    comment: 'Devices of new endpoints: veth, netkit, or auto (netkit where it is to be had).',
    example: 'veth',
  },
  {
    variable: 'PLAIT_SOCKET_GROUP',
    comment: 'Group of this host that may use the agent, as root may.',
    example: 'plait',
  },
  {
    variable: 'PLAIT_DOCKER_PLUGIN',
    comment: 'Be a network driver of the Docker on this host, at this socket.',
    example: '/run/docker/plugins/plait.sock',
  },
  {
    variable: 'PLAIT_DOCKER_HOST',
    comment: 'Where that Docker answers. Without it: unix:///var/run/docker.sock.',
    example: 'unix:///var/run/docker.sock',
  },
  {
    variable: 'PLAIT_LOG_LEVEL',
    comment: 'trace, debug, info, warn or error.',
    example: 'info',
  },
];

export type Values = Readonly<Record<string, string | undefined>>;

const head = `# Settings of the Plait agent of this host (plait.service); \`plait agent --help\` has the details.
# After a change: systemctl restart plait. Traffic goes on meanwhile.
`;

/** The file as it comes: every setting stands in it as a comment. */
export function defaultsText(): string {
  const blocks = SETTINGS.map(
    ({ variable, comment, example }) => `\n# ${comment}\n#${variable}=${example}\n`,
  );
  return head + blocks.join('');
}

/**
 * Sets what has a value, in the place where it stands; all other lines stay. Where it is set already, perhaps several
 * times and below its comment, all of these change: of several lines systemd takes the last.
 */
export function updateDefaults(text: string, values: Values): string {
  return Object.entries(values).reduce((before, [variable, value]) => {
    if (value === undefined) return before;
    const line = `${variable}=${value}`;
    const places = [new RegExp(`^ *${variable} *=.*$`, 'gm'), new RegExp(`^# *${variable}=.*$`, 'm')];
    const place = places.find((pattern) => before.search(pattern) >= 0);
    return place ? before.replace(place, () => line) : `${before.trimEnd()}\n${line}\n`;
  }, text);
}

export function isOwnDefaults(text: string): boolean {
  return text.startsWith(head.slice(0, head.indexOf('\n')));
}

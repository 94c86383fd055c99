// Everything that endpoints leave on the nodes and in etcd, as text: equal before and after means that nothing is left.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../../src/lab/lab.js';
import type { StatusAnswer } from '../../../src/model/api.js';

/** Maps whose rows come and go with endpoints. The rest has as many rows as the datapath has counters, or nodes. */
const ROW_MAPS = ['endpoints', 'fdb', 'neighbors', 'networks', 'subnets', 'senders', 'flood'];

export async function footprint(lab: Lab): Promise<string> {
  const parts = [await etcdKeys(lab)];
  for (const { name } of lab.nodes) parts.push(await nodeFootprint(lab, name));
  return parts.join('\n');
}

/** Keys that endpoints hold. */
export async function etcdKeys(lab: Lab): Promise<string> {
  const list = `etcdctl --endpoints ${lab.etcdUrl} get --prefix --keys-only /plait/`;
  const keys = (await lab.sh('underlay', list)).split('\n');
  return keys.filter((key) => /^\/plait\/(endpoints|ipam|mac)\//.test(key)).join('\n');
}

async function nodeFootprint(lab: Lab, node: string): Promise<string> {
  const links = JSON.parse(await lab.sh(node, 'ip -j link')) as { ifname: string }[];
  const plait0 = JSON.parse(await lab.sh(node, 'ip -j address show dev plait0')) as {
    addr_info: unknown[];
  }[];
  const { maps, pending } = await lab.client(node).get<StatusAnswer>('/v1/status');
  const rows = maps.filter(({ name }) => ROW_MAPS.includes(name)).map((map) => `${map.name}=${map.entries}`);
  const lines = [
    `links ${links
      .map(({ ifname }) => ifname)
      .sort()
      .join(' ')}`,
    `gateway addresses ${JSON.stringify(plait0.map(({ addr_info }) => addr_info))}`,
    `pins ${readdirSync(join(lab.root(node), 'bpf', 'links'))
      .sort()
      .join(' ')}`,
    `rows ${rows.join(' ')}`,
    `journal ${readdirSync(join(lab.root(node), 'lib', 'journal')).join(' ')}`,
    `pending ${JSON.stringify(pending)}`,
  ];
  return `${node}: ${lines.join(`\n${node}: `)}`;
}

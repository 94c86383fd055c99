// What the kernel's own tools say of a pinned link. tcx has link objects, which bpftool shows. clsact has none: there the
// filter is found by tc on the device, and its place (device, preference, handle) is what stays when a program changes.

import { BpfLink } from 'libbpf-ts-bindings';
import { json, sh } from './own-namespace.js';

export interface ShownLink {
  /** The same for as long as the attachment is the same. */
  place: string;
  programId: number;
}

interface Filter {
  pref: number;
  options?: { handle: string; prog?: { id: number } };
}

export function shownLink(path: string): ShownLink {
  const link = BpfLink.openPinned(path);
  try {
    if (link.kind === 'clsact') return shownFilter(link.info().ifindex);
  } finally {
    link.close();
  }
  // bpftool 7.5 (Debian 13) shows the link and ends with status 255.
  const shown = sh(`bpftool -j link show pinned ${path} || true`);
  const { id, prog_id } = json<{ id: number; prog_id: number }>(shown);
  return { place: `link ${id}`, programId: prog_id };
}

function shownFilter(ifindex: number): ShownLink {
  const device = json<{ ifindex: number; ifname: string }[]>(sh('ip -j link')).find(
    (one) => one.ifindex === ifindex,
  );
  if (!device) throw new Error(`find device ${ifindex}: it is gone`);
  const filters = json<Filter[]>(sh(`tc -j filter show dev ${device.ifname} ingress`));
  const [filter, ...more] = filters.filter(({ options }) => options?.prog);
  if (!filter || more.length > 0)
    throw new Error(`find one program on ${device.ifname}: ${JSON.stringify(filters)}`);
  const place = `${device.ifname} pref ${filter.pref} handle ${filter.options?.handle}`;
  return { place, programId: filter.options?.prog?.id ?? 0 };
}

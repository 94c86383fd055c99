/* The address with which this host meets others, where nobody names one. */
import { PlaitError } from '../model/errors.js';
import { ipQuery, type LinkAddresses, type RouteInfo, routeDevice } from './ip.js';

/** The source address of the default route, of IPv4 if there is one. */
export async function defaultAddress(): Promise<string> {
  for (const [flag, family] of [
    ['-4', 'inet'],
    ['-6', 'inet6'],
  ] as const) {
    const routes = await ipQuery<RouteInfo>([flag, 'route', 'show', 'default'], {
      doing: 'find the default route',
    });
    for (const route of routes.filter(({ type }) => (type ?? 'unicast') === 'unicast')) {
      const device = routeDevice(route);
      const address = route.prefsrc ?? (device && (await globalAddress(device, family)));
      if (address) return address;
    }
  }
  throw new PlaitError(
    'NO_UNDERLAY',
    "choose this node's underlay address: the host has no default route with an address",
    {
      hint: 'name one with --advertise-addr',
    },
  );
}

async function globalAddress(device: string, family: 'inet' | 'inet6'): Promise<string | undefined> {
  const doing = `list addresses of ${device}`;
  const links = await ipQuery<Partial<LinkAddresses>>(['address', 'show', 'dev', device, 'scope', 'global'], {
    doing,
  });
  return links.flatMap((link) => link.addr_info ?? []).find((info) => info.family === family)?.local;
}

/*
 * This host has other addresses than when it became a member. They are written down here, while no agent runs; the agent that
 * starts next tells the managers (member-link.ts), and its own record tells everybody where its VTEP is.
 */
import { PlaitError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { findUnderlay } from '../net/underlay.js';
import { withPort } from './join-client.js';
import { apiOf, type MembershipFile, readMembership, writeMembership } from './membership-file.js';

export interface Addresses {
  readonly advertiseAddress?: string | undefined;
  readonly listenAddress?: string | undefined;
  readonly dataPathAddress?: string | undefined;
  /** HOST[:PORT] of managers, where the ones that this host knows have moved, too. */
  readonly managers?: readonly string[] | undefined;
}

/** What is to be written down. Throws NOT_MEMBER, NOT_BEGUN, NO_UNDERLAY. */
export async function planReaddress({ state }: Paths, given: Addresses): Promise<MembershipFile> {
  const before = await readMembership(state);
  if (before === undefined) {
    throw new PlaitError('NOT_MEMBER', 'change addresses: this host is a member of no cluster', {
      hint: '`plait init` or `plait join`; an agent with --etcd is started again with another --advertise-addr',
    });
  }
  if (before.firstStart !== undefined) {
    throw new PlaitError(
      'NOT_BEGUN',
      'change addresses: etcd of this manager has not begun with those it has',
      {
        hint: 'see the log of the agent; or `plait leave --force` and join with the other addresses',
      },
    );
  }
  const after = withAddresses(before, given);
  await findUnderlay(after.dataPathAddress); // without it no agent would start
  if (after.role === 'manager') await findUnderlay(after.listenAddress);
  return after;
}

/** The agent must not run. */
export async function applyReaddress({ state }: Paths, after: MembershipFile): Promise<void> {
  await writeMembership(state, after);
}

/** What was the same as the address that others use goes along with it. */
function withAddresses(before: MembershipFile, given: Addresses): MembershipFile {
  const advertiseAddress = given.advertiseAddress ?? before.advertiseAddress;
  const follow = (address: string): string =>
    address === before.advertiseAddress ? advertiseAddress : address;
  const own = apiOf(before.advertiseAddress);
  const named = given.managers?.map((manager) => ({ node: null, api: withPort(manager) }));
  const known = before.managers.filter(({ api }) => named === undefined || api === own);
  return {
    ...before,
    advertiseAddress,
    listenAddress: given.listenAddress ?? follow(before.listenAddress),
    dataPathAddress: given.dataPathAddress ?? follow(before.dataPathAddress),
    managers: [
      ...known.map((manager) =>
        manager.api === own ? { ...manager, api: apiOf(advertiseAddress) } : manager,
      ),
      ...(named ?? []),
    ],
  };
}

/*
 * The managers as members of etcd. A new one is a learner first, which has no vote and so cannot stop the others, and a
 * voter when it has caught up. Members are known by name, which is the node's id, or, before they have begun, by URL.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PlaitError } from '../../model/errors.js';
import { patience } from '../../patience.js';
import type { Store } from '../../store/store.js';
import { peerUrl } from './arguments.js';

export interface Member {
  /** etcd's own id of it, decimal. */
  readonly id: string;
  /** Id of the node; empty until it has begun. */
  readonly node: string;
  readonly url: string;
  readonly isLearner: boolean;
}

/** etcd has one learner at a time; the one before is soon a voter. */
const LEARNER_MS = patience(20_000);
const POLL_MS = 300;

export async function listMembers(store: Store): Promise<Member[]> {
  const { members } = await store.call((client, options) => client.cluster.memberList({}, options));
  return members.map(({ ID, name, peerURLs, isLearner }) => ({
    id: ID,
    node: name,
    url: peerURLs[0] ?? '',
    isLearner,
  }));
}

/** Returns --initial-cluster for the new member. Can be repeated. */
export async function addMember(store: Store, node: string, address: string): Promise<string> {
  for (const end = Date.now() + LEARNER_MS; ; await sleep(POLL_MS)) {
    try {
      return await tryAdding(store, node, peerUrl(address));
    } catch (error) {
      if (!isPassing(error) || Date.now() > end) throw error;
    }
  }
}

/** A member that changes hands, or the one before that has not caught up: a matter of seconds. */
function isPassing(error: unknown): boolean {
  if (error instanceof PlaitError && error.isTransient) return true;
  return error instanceof Error && /too many learner|unhealthy cluster|already exists/.test(error.message);
}

async function tryAdding(store: Store, node: string, url: string): Promise<string> {
  const members = await listMembers(store);
  const same = members.find((member) => member.url === url);
  if (same !== undefined && same.node !== '' && same.node !== node) throw addressTaken(url, same.node);
  if (same !== undefined) return initialCluster(members, node, url);
  const request = { peerURLs: [url], isLearner: true };
  const { members: all } = await store.call((client, options) => client.cluster.memberAdd(request, options));
  return initialCluster(
    all.map((member) => ({ node: member.name, url: member.peerURLs[0] ?? '' })),
    node,
    url,
  );
}

/** True when it was there. */
export async function removeMember(store: Store, node: string, address: string): Promise<boolean> {
  const url = peerUrl(address);
  const members = await listMembers(store);
  const member = members.find((one) => one.node === node || (one.node === '' && one.url === url));
  if (member === undefined) return false;
  await store.call((client, options) => client.cluster.memberRemove({ ID: member.id }, options));
  return true;
}

/** It is reached by another address from now on. */
export async function moveMember(store: Store, node: string, address: string): Promise<void> {
  const url = peerUrl(address);
  const member = (await listMembers(store)).find((one) => one.node === node);
  if (member === undefined || member.url === url) return;
  const request = { ID: member.id, peerURLs: [url] };
  await store.call((client, options) => client.cluster.memberUpdate(request, options));
}

/** Gives every learner that has caught up a vote. Returns how many are left. */
export async function promoteLearners(store: Store): Promise<number> {
  const learners = (await listMembers(store)).filter(({ isLearner }) => isLearner);
  let left = 0;
  for (const { id, node } of learners) {
    const isVoter =
      node !== '' &&
      (await store
        .call((client, options) => client.cluster.memberPromote({ ID: id }, options))
        .then(
          () => true,
          () => false, // not yet
        ));
    if (!isVoter) left += 1;
  }
  return left;
}

/** A member that has not begun has no name of its own yet. */
function initialCluster(
  members: readonly { readonly node: string; readonly url: string }[],
  node: string,
  url: string,
): string {
  const named = members.filter((member) => member.node !== '' && member.url !== url);
  return [...named.map((member) => `${member.node}=${member.url}`), `${node}=${url}`].join(',');
}

function addressTaken(url: string, node: string): PlaitError {
  return new PlaitError('ADDRESS_TAKEN', `add manager at ${url}: manager ${node} has that address`, {
    hint: `\`plait node rm --force ${node}\` if it is lost, or use another --advertise-addr`,
  });
}

/* Requests that managers answer: who may join, whom to trust, what is said of nodes. */
import { PlaitError } from '../../model/errors.js';
import { resolveRef } from '../../model/refs.js';
import type { NamedNode } from '../../store/writes.js';
import { nodeAnswer } from '../answers.js';
import type { AgentContext } from '../context.js';
import type { Backend } from '../server/routes.js';

type TrustRequests = Pick<
  Backend,
  'joinToken' | 'rotateJoinToken' | 'authority' | 'rotateAuthority' | 'updateNode' | 'removeNode'
>;

export function trustRequests({ link, view, self }: AgentContext): TrustRequests {
  const managers = (): string[] => [...link.managers()];
  const find = (ref: string) => resolveRef(view.nodes.values(), ref, 'node');
  return {
    joinToken: async (role) => ({ token: await link.admin().joinToken(role), managers: managers() }),
    rotateJoinToken: async (role) => ({
      token: await link.admin().rotateJoinToken(role),
      managers: managers(),
    }),
    authority: async () => link.admin().authority(),
    rotateAuthority: async () => link.admin().rotateAuthority(),
    async updateNode(ref, { role, ...change }) {
      const admin = link.admin();
      const node = find(ref);
      if (role !== undefined) await admin.setRole(node, role);
      const spec = await admin.updateNode(node.id, change);
      return nodeAnswer(node, { alive: view.alive.has(node.id), self: node.id === self.id, spec });
    },
    async removeNode(ref, { force = false }) {
      const admin = link.admin();
      // One that joined and never ran is known by what managers say of it alone.
      const specs = [...(await admin.specs())].filter(([id]) => !view.nodes.has(id));
      const silent = specs.map(([id, { name }]) => ({ id, name }));
      const node = resolveRef<NamedNode>([...view.nodes.values(), ...silent], ref, 'node');
      if (node.id === self.id) {
        throw new PlaitError('NODE_IS_SELF', `remove node ${node.name}: it is this one`, {
          hint: 'use `plait leave`',
        });
      }
      await admin.removeNode(node, force);
      return { id: node.id, warnings: [] };
    },
  };
}

/** Many simulated nodes in one process: starts them a few at a time and tells when the controller knows them all. */
import { HollowNode, type HollowNodeOptions } from './node.js';

export interface Fleet {
  readonly nodes: readonly HollowNode[];
  stop(): void;
}

/** Handshakes under way: each costs both sides processor time. */
const atOnce = 16;

/** Resolves when all are registered. @param optionsOf what the node of that number is told. */
export async function startFleet(
  count: number,
  optionsOf: (index: number) => Promise<HollowNodeOptions>,
): Promise<Fleet> {
  const nodes: HollowNode[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const node = new HollowNode(await optionsOf(index));
      nodes.push(node);
      node.start();
      await node.registered;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { nodes, stop: () => nodes.forEach(node => void node.stop()) };
}

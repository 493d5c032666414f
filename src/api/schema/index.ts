/** All types, parsed once. A new kind adds its table here. */
import { commonTypes } from './common.js';
import { containerTypes } from './container.js';
import { metaTypes } from './meta.js';
import { nodeTypes } from './node.js';
import { objectTypes } from './objects.js';
import { podTypes } from './pod.js';
import { podStatusTypes } from './pod-status.js';
import { type ObjectType, parseTypes } from './types.js';
import { volumeTypes } from './volume.js';

const types = parseTypes(
  metaTypes,
  commonTypes,
  volumeTypes,
  containerTypes,
  podStatusTypes,
  podTypes,
  nodeTypes,
  objectTypes,
);

/** The type of that full name, such as `core.v1.Pod`. Throws for one that is not in the table: a mistake of ours. */
export function typeNamed(name: string): ObjectType {
  const found = types.get(name);
  if (!found) throw new Error(`schema: no type ${name}`);
  return found;
}

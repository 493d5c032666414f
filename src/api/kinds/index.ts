/** All built-in kinds, in the order that discovery shows them. A new kind is one file, and one line here. */
import type { Kind } from '../kind.js';
import { configMap } from './configmap.js';
import { event } from './event.js';
import { lease } from './lease.js';
import { namespace } from './namespace.js';
import { node } from './node.js';
import { pod } from './pod.js';
import { secret } from './secret.js';
import { serviceAccount } from './serviceaccount.js';

export const builtInKinds: readonly Kind[] = [configMap, event, namespace, node, pod, secret, serviceAccount, lease];

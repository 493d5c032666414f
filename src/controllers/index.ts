/** All controllers. A new one is one file, and one line here. */
import type { Controller } from './contract.js';
import { eventTtlController } from './event-ttl.js';
import { garbageCollector } from './garbage-collector.js';
import { namespaceController } from './namespace.js';
import { nodeLifecycleController } from './node-lifecycle.js';
import { podGcController } from './pod-gc.js';
import { serviceAccountController } from './service-account.js';

export const controllers: readonly Controller[] = [
  namespaceController,
  serviceAccountController,
  nodeLifecycleController,
  podGcController,
  garbageCollector,
  eventTtlController,
];

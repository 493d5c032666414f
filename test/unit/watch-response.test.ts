/** What a watch writes to its answer, and that it stops where the answer ends. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { Engine } from '../../src/api/engine.js';
import { KindRegistry } from '../../src/api/kind-registry.js';
import { configMap } from '../../src/api/kinds/configmap.js';
import { namespace } from '../../src/api/kinds/namespace.js';
import type { ApiContext, ApiRequest } from '../../src/api/request.js';
import { createObject } from '../../src/api/verbs/create.js';
import { View } from '../../src/api/view.js';
import { serveWatch } from '../../src/api/watch-response.js';
import { createMemoryStore } from '../../src/store/memory.js';

class Answer extends EventEmitter {
  readonly lines: string[] = [];
  writableEnded = false;
  readonly writableLength = 0;
  writeHead(): void {}
  flushHeaders(): void {}
  write(line: Buffer): void {
    this.lines.push(line.toString('utf8'));
  }
  end(): void {
    this.writableEnded = true;
  }
}

test('nothing is written after the end, though the connection lives on', async () => {
  const store = createMemoryStore();
  const kinds = new KindRegistry([configMap, namespace]);
  const view = new View(store, kinds.stored);
  const engine: Engine = { store, view, kinds, now: Date.now, random: Math.random };
  await createObject(engine, namespace, undefined, { metadata: { name: 'n' } } as never);
  const response = new Answer();
  const call = { response, request: { headers: {} }, query: new URLSearchParams() } as unknown as ApiRequest;
  const route = { to: 'resource', group: '', version: 'v1', namespace: 'n', plural: 'configmaps' } as const;
  serveWatch({ engine } as ApiContext, call, configMap, route);
  await createObject(engine, configMap, 'n', { metadata: { name: 'heard' } } as never);
  response.end();
  await createObject(engine, configMap, 'n', { metadata: { name: 'late' } } as never);
  response.emit('close');
  expect(response.lines.join('')).toContain('"heard"');
  expect(response.lines.join('')).not.toContain('"late"');
  view.close();
});

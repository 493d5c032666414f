import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ContainerRig } from '../helpers/container-rig.js';

test('a container runs its command, logs in the CRI format and leaves an exit record', async () => {
  await using rig = await ContainerRig.create();
  const container = await rig.shell('echo hello; echo oops >&2; exit 3');
  const exit = await container.exited();
  expect(exit).toMatchObject({ code: 3, oomKilled: false });
  expect(exit.finishedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  const log = readFileSync(container.request.logPath, 'utf8');
  expect(log).toMatch(/^\S+Z stdout F hello$/m);
  expect(log).toMatch(/^\S+Z stderr F oops$/m);
  await once(process, 'nothing', { signal: AbortSignal.timeout(1) }).catch(() => {});
});

/** src/kube/api is what the table of API facts says. Rewrite it with `npx vitest run test/unit/api-types.test.ts --update`. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { types } from '../../src/api/schema/index.js';
import { fileOf, renderPackage } from '../helpers/typescript-types.js';

const folder = '../../src/kube/api';

const byHand = new Map<string, string>([
  ...['ObjectMeta', 'OwnerReference'].map(name => [`meta.v1.${name}`, '../meta.js'] as const),
  ...[
    'EnvVar',
    'EnvFromSource',
    'ExecAction',
    'HTTPGetAction',
    'ProbeHandler',
    'Probe',
    'LifecycleHandler',
    'Capabilities',
    'SeccompProfile',
    'SecurityContext',
    'PodSecurityContext',
    'ResourceRequirements',
    'VolumeMount',
    'ContainerPort',
    'Container',
    'KeyToPath',
    'Volume',
    'Toleration',
    'PodSpec',
    'ContainerStateWaiting',
    'ContainerStateRunning',
    'ContainerStateTerminated',
    'ContainerState',
    'ContainerStatus',
    'PodStatus',
    'Pod',
  ].map(name => [`core.v1.${name}`, '../pod.js'] as const),
  ...['Taint', 'NodeSystemInfo', 'NodeStatus', 'Node', 'ConfigMap', 'Secret'].map(
    name => [`core.v1.${name}`, '../node.js'] as const,
  ),
]);

const files = [...new Set([...types.keys()].map(fileOf))].filter(
  file => renderPackage(types, file, byHand) !== undefined,
);

test.each(files)('%s', async file => {
  await expect(renderPackage(types, file, byHand)).toMatchFileSnapshot(`${folder}/${file}.ts`);
});

test('there is no other file', () => {
  const found = readdirSync(new URL(folder, import.meta.url)).sort();
  expect(found).toEqual(files.map(file => `${file}.ts`).sort());
});

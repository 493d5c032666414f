import { expect, test } from 'vitest';
import { unknownResource } from '../../src/api/old-versions.js';
import { describedFields, descriptionOf } from '../../src/api/schema/descriptions.js';
import { typeNamed } from '../../src/api/schema/index.js';

test('descriptions are of fields that exist, one line each', () => {
  for (const [type, field] of describedFields()) {
    expect(typeNamed(type).byName.has(field), `${type}.${field}`).toBe(true);
    expect(descriptionOf(type, field)).toMatch(/^\S.*[.)]$/);
  }
  expect(descriptionOf('apps.v1.Deployment', 'spec', 'apps.v1.DeploymentSpec')).toBe('What is wanted.');
});

test.each([
  ['extensions', 'v1beta1', 'ingresses', 'use apiVersion: networking.k8s.io/v1'],
  ['extensions', 'v1beta1', 'deployments', 'use apiVersion: apps/v1'],
  ['autoscaling', 'v2beta2', 'horizontalpodautoscalers', 'use apiVersion: autoscaling/v2'],
  ['policy', 'v1beta1', 'podsecuritypolicies', 'PodSecurityPolicy was removed from Kubernetes in 1.25'],
  ['batch', 'v1beta1', undefined, 'use apiVersion: batch/v1'],
])('%s/%s %s names what to use', (group, version, plural, hint) => {
  const refused = unknownResource(group, version, plural);
  expect(refused.code).toBe(404);
  expect(refused.message).toContain(hint);
});

test('a path nobody knows is said in plain words', () => {
  expect(unknownResource('example.com', 'v1', 'things').message).toBe(
    'the server could not find the requested resource',
  );
});

/** Small pods for tests, as the API would have defaulted them. */
import type { Container, Pod, PodSpec } from '../../src/kube/pod.js';

export function testPod(spec: Partial<PodSpec> = {}, name = 'web', uid = '11111111-2222-3333-4444-555555555555'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [testContainer('app')], restartPolicy: 'Always', terminationGracePeriodSeconds: 30, ...spec },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  };
}

export function testContainer(name: string, more: Partial<Container> = {}): Container {
  return { name, image: 'localhost/busybox:1', imagePullPolicy: 'Never', ...more };
}

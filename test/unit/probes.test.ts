/** Probes: thresholds, gating and turns with a clock of the test's own; the ways of asking against servers on loopback. */
import { createServer } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { grpcProbe } from '../../agent/probes/grpc.js';
import { httpProbe, urlOf } from '../../agent/probes/http.js';
import { portNumber } from '../../agent/probes/port.js';
import { ContainerProber, type ProbeResult, type ProberOrder } from '../../agent/probes/prober.js';
import { activeKinds, afterResult, firstAt, initialState, timingOf } from '../../agent/probes/state.js';
import { tcpProbe } from '../../agent/probes/tcp.js';
import type { Probe } from '../../src/kube/pod.js';
import { testContainer } from '../helpers/pods.js';

describe('thresholds', () => {
  test('the API defaults hold for pods that did not come through it', () => {
    expect(timingOf({})).toEqual({
      initialDelayMs: 0,
      periodMs: 10_000,
      timeoutMs: 1000,
      successThreshold: 1,
      failureThreshold: 3,
    });
  });

  test('any history: the verdict is the newest run of equal results that was long enough', () => {
    const threshold = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(threshold, threshold, fc.array(fc.boolean(), { maxLength: 30 }), (successes, failures, results) => {
        const timing = timingOf({ successThreshold: successes, failureThreshold: failures });
        const state = results.reduce((before, ok) => afterResult(timing, before, ok), initialState('readiness'));
        let expected = 'failure';
        results.forEach((ok, at) => {
          const needed = ok ? successes : failures;
          const last = results.slice(Math.max(0, at + 1 - needed), at + 1);
          if (last.length === needed && last.every(one => one === ok)) expected = ok ? 'success' : 'failure';
        });
        expect(state.verdict).toBe(expected);
      }),
    );
  });

  test('before any result: alive, not ready, not known to have started; an earlier agent may have known it ready', () => {
    expect(initialState('liveness').verdict).toBe('success');
    expect(initialState('readiness').verdict).toBe('failure');
    expect(initialState('readiness', true).verdict).toBe('success');
    expect(initialState('startup').verdict).toBe('unknown');
  });

  test('the first turn counts from the start of the container, and is not in the past', () => {
    const timing = timingOf({ initialDelaySeconds: 5 });
    expect(firstAt(timing, 1000, 2000, 7)).toBe(6007);
    expect(firstAt(timing, 1000, 60_000, 7)).toBe(60_007);
  });

  test('the startup probe goes first and alone', () => {
    const probes = { startup: {}, liveness: {}, readiness: {} };
    expect(activeKinds(probes, false)).toEqual(['startup']);
    expect(activeKinds(probes, true)).toEqual(['liveness', 'readiness']);
    expect(activeKinds({ liveness: {} }, true)).toEqual(['liveness']);
  });
});

describe('turns', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** @param answer by number of the handler's port, so that a test tells its probes apart */
  function rig(probes: ProberOrder['probes'], answer: (port: number) => ProbeResult['result'], more = {}) {
    const asked: number[] = [];
    const log: string[] = [];
    const prober = new ContainerProber({
      probes,
      startedAt: Date.now(),
      health: { started: !probes.startup, ready: false },
      resumed: false,
      random: () => 0,
      ask: async (probe: Probe) => {
        const port = Number(probe.tcpSocket?.port);
        asked.push(port);
        return { result: answer(port), output: 'why' };
      },
      changed: health => log.push(JSON.stringify(health)),
      failed: kind => log.push(`failed ${kind}`),
      event: (reason, message) => log.push(`${reason}: ${message}`),
      ...more,
    });
    return { prober, asked, log };
  }
  const probe = (port: number, more: Probe = {}): Probe => ({ tcpSocket: { port }, periodSeconds: 1, ...more });

  test('liveness and readiness wait until the startup probe has succeeded, which is then asked no more', async () => {
    let up = false;
    const probes = { startup: probe(1, { failureThreshold: 30 }), liveness: probe(2), readiness: probe(3) };
    const { asked, log } = rig(probes, port => (port > 1 || up ? 'success' : 'failure'));
    await vi.advanceTimersByTimeAsync(3500);
    expect(new Set(asked)).toEqual(new Set([1]));
    up = true;
    await vi.advanceTimersByTimeAsync(1000);
    const count = asked.filter(port => port === 1).length;
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked.filter(port => port === 1)).toHaveLength(count);
    expect(asked).toContain(2);
    expect(log.filter(line => line.startsWith('{'))).toEqual([
      '{"started":true,"ready":false}',
      '{"started":true,"ready":true}',
    ]);
    expect(log[0]).toBe('Unhealthy: Startup probe failed: why');
  });

  test('a liveness probe that failed often enough says so once and is asked no more', async () => {
    const { asked, log } = rig({ liveness: probe(2, { failureThreshold: 2 }) }, () => 'failure');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked).toHaveLength(2);
    expect(log.at(-1)).toBe('failed liveness');
  });

  test('a startup probe that never succeeds ends the container', async () => {
    const { log } = rig({ startup: probe(1, { failureThreshold: 3 }) }, () => 'failure');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(log.filter(line => line.startsWith('failed'))).toEqual(['failed startup']);
  });

  test('nothing is asked before the initial delay, and only readiness while the container stops', async () => {
    const probes = { liveness: probe(2, { initialDelaySeconds: 5 }), readiness: probe(3) };
    const { prober, asked } = rig(probes, () => 'success');
    await vi.advanceTimersByTimeAsync(4900);
    expect(asked).not.toContain(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toContain(2);
    prober.stopping();
    asked.length = 0;
    await vi.advanceTimersByTimeAsync(3000);
    expect(new Set(asked)).toEqual(new Set([3]));
    prober.close();
    asked.length = 0;
    await vi.advanceTimersByTimeAsync(3000);
    expect(asked).toEqual([]);
  });

  test('what cannot be asked counts for nothing; a warning is success', async () => {
    const ask = () => Promise.reject(new Error(`couldn't find port: "web"`));
    const broken = rig({ liveness: probe(2, { failureThreshold: 1 }) }, () => 'success', { ask });
    const warned = rig({ readiness: probe(3) }, () => 'warning');
    await vi.advanceTimersByTimeAsync(5000);
    expect(broken.log.filter(line => line.startsWith('failed'))).toEqual([]);
    expect(broken.log[0]).toBe(
      `Unhealthy: Liveness probe errored and resulted in unknown state: couldn't find port: "web"`,
    );
    expect(warned.log).toContain('ProbeWarning: Readiness probe warning: why');
    expect(warned.log).toContain('{"started":true,"ready":true}');
  });

  test('an answer that takes longer than the period is waited for', async () => {
    const ask = () => new Promise(resolve => setTimeout(() => resolve({ result: 'success', output: '' }), 2500));
    const spy = vi.fn(ask);
    rig({ readiness: probe(3) }, () => 'success', { ask: spy });
    await vi.advanceTimersByTimeAsync(6000);
    expect(spy).toHaveBeenCalledTimes(3);
  });
});

describe('ways of asking', () => {
  const container = testContainer('app', { ports: [{ name: 'web', containerPort: 8080 }] });

  test('ports by name and number', () => {
    expect(portNumber('web', container)).toBe(8080);
    expect(portNumber(81, container)).toBe(81);
    expect(portNumber('81', container)).toBe(81);
    expect(() => portNumber('gone', container)).toThrow(`couldn't find port: "gone" in container "app"`);
    expect(() => portNumber(70_000, container)).toThrow('invalid port number: 70000');
  });

  test('the address of the pod, unless a host is named', () => {
    expect(urlOf({ port: 'web', path: '/a?b=c' }, container, '10.0.0.1').href).toBe('http://10.0.0.1:8080/a?b=c');
    expect(urlOf({ port: 1, host: 'h', scheme: 'HTTPS', path: 'x' }, container, '10.0.0.1').href).toBe('https://h:1/x');
  });

  test('HTTP: 200 to 399 succeed, headers are sent, redirects followed on the host, a silent one times out', async () => {
    const server = createServer((request, response) => {
      const path = request.url ?? '';
      if (path === '/silent') return;
      if (path === '/to') response.setHeader('location', '/500');
      if (path === '/away') response.setHeader('location', 'http://example.invalid/');
      if (path === '/loop') response.setHeader('location', '/loop');
      const code = { '/500': 500, '/to': 302, '/away': 302, '/loop': 302, '/304': 304 }[path] ?? 200;
      response.statusCode = path === '/header' && request.headers['x-a'] !== 'b' ? 400 : code;
      response.end('body');
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = (path: string) => {
      const action = { port, path, httpHeaders: [{ name: 'X-A', value: 'b' }] };
      return httpProbe(urlOf(action, container, '127.0.0.1'), action, 300);
    };
    try {
      expect((await ask('/')).result).toBe('success');
      expect((await ask('/304')).result).toBe('success');
      expect((await ask('/header')).result).toBe('success');
      expect(await ask('/500')).toEqual({ result: 'failure', output: 'HTTP probe failed with statuscode: 500' });
      expect((await ask('/to')).output).toBe('HTTP probe failed with statuscode: 500');
      expect((await ask('/away')).result).toBe('warning');
      expect((await ask('/loop')).output).toContain('stopped after 10 redirects');
      expect((await ask('/silent')).output).toContain('context deadline exceeded');
    } finally {
      server.closeAllConnections();
      server.close();
    }
    expect((await ask('/')).output).toBe(
      `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
  });

  test('TCP: accepted or refused', async () => {
    const server = createTcp(socket => socket.destroy());
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect((await tcpProbe('127.0.0.1', port, 500)).result).toBe('success');
    await new Promise(resolve => server.close(resolve));
    expect((await tcpProbe('127.0.0.1', port, 500)).output).toBe(
      `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
  });

  test('gRPC: serving, not serving, no such service', async () => {
    let answer: { status?: number; code?: number } = { status: 1 };
    let path = '';
    const server = createHttp2();
    server.on('stream', (stream, headers) => {
      path = String(headers[':path']);
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(answer.code ?? 0) }));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.end(answer.status === undefined ? '' : Buffer.from([0, 0, 0, 0, 2, 8, answer.status]));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = () => grpcProbe('127.0.0.1', port, 'shop', 1000);
    expect((await ask()).result).toBe('success');
    expect(path).toBe('/grpc.health.v1.Health/Check');
    answer = { status: 2 };
    expect((await ask()).output).toBe('service unhealthy (responded with "NOT_SERVING")');
    answer = { code: 12 };
    expect((await ask()).output).toContain('does not implement the grpc health protocol');
    await new Promise<void>(resolve => server.close(() => resolve()));
    expect((await ask()).output).toContain('failed to connect service');
  });
});

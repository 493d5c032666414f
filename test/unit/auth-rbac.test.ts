/** Roles: what a rule allows, what covers what, what nobody may grant, and how long a decision takes. */
import { describe, expect, test } from 'vitest';
import type { Attributes } from '../../src/api/auth/attributes.js';
import { attributesOf, refusal } from '../../src/api/auth/attributes.js';
import { compactRules, describeRule, missingRules } from '../../src/api/auth/covers.js';
import { checkBindingWrite, checkRoleWrite } from '../../src/api/auth/escalation.js';
import { allow, allowPaths } from '../../src/api/auth/role-text.js';
import { allows } from '../../src/api/auth/rules.js';
import { Authorizer, type Identity } from '../../src/api/authorize.js';
import type { AnyObject } from '../../src/api/kind.js';
import { role as roleKind } from '../../src/api/kinds/role.js';
import { roleBinding as bindingKind } from '../../src/api/kinds/rolebinding.js';
import { parseRoute } from '../../src/api/route.js';
import { aggregated } from '../../src/controllers/cluster-role-aggregation.js';
import { authView } from '../helpers/auth-view.js';

const on = (verb: string, resource: string, more: object = {}): Attributes => ({ verb, group: '', resource, ...more });

describe('a rule', () => {
  test.each([
    ['get', 'pods', allow('get list', '', 'pods'), {}, true],
    ['delete', 'pods', allow('get list', '', 'pods'), {}, false],
    ['get', 'pods', allow('*', '*', '*'), {}, true],
    ['get', 'pods/exec', allow('*', '*', '*'), {}, true],
    ['get', 'pods/exec', allow('get', '', 'pods'), {}, false],
    ['get', 'pods/exec', allow('get', '', 'pods/*'), {}, false],
    ['get', 'deployments/scale', allow('get', 'apps', '*/scale'), { group: 'apps' }, true],
    ['get', 'scale', allow('get', 'apps', '*/scale'), { group: 'apps' }, false],
    ['get', 'pods', allow('get', 'apps', 'pods'), {}, false],
    ['get', 'pods', allow('get', '|apps', 'pods'), { group: 'apps' }, true],
    ['get', 'secrets', allow('get', '', 'secrets', 'a b'), { name: 'b' }, true],
    ['get', 'secrets', allow('get', '', 'secrets', 'a b'), { name: 'c' }, false],
    ['list', 'secrets', allow('list', '', 'secrets', 'a'), {}, false],
    ['create', 'secrets', allow('create', '', 'secrets', 'a'), {}, false],
    ['get', 'pods', allowPaths('*', '*'), {}, false],
  ])('%s %s under %j with %j: %s', (verb, resource, rule, more, expected) => {
    expect(allows(rule, on(verb, resource, more))).toBe(expected);
  });

  test.each([
    ['/healthz', '/healthz', true],
    ['/healthz', '/healthz/etcd', false],
    ['/healthz/*', '/healthz/etcd', true],
    ['/healthz/*', '/healthz', false],
    ['*', '/anything', true],
    ['/a*b', '/axb', false],
  ])('paths: %s of %s is %s', (url, path, expected) => {
    expect(allows(allowPaths('get', url), { verb: 'get', path })).toBe(expected);
    expect(allows(allow('*', '*', '*'), { verb: 'get', path })).toBe(false);
  });
});

describe('what a request is about', () => {
  const of = (path: string, query = '') => attributesOf('get', parseRoute(path), path, new URLSearchParams(query));
  test('a namespace lives in itself, a selector by name names', () => {
    expect(of('/api/v1/namespaces/x')).toMatchObject({ resource: 'namespaces', namespace: 'x', name: 'x' });
    expect(of('/api/v1/namespaces/x/pods', 'fieldSelector=metadata.name%3Da')).toMatchObject({
      namespace: 'x',
      name: 'a',
    });
    expect(of('/api/v1/namespaces/x/pods', 'fieldSelector=metadata.name!%3Da')).not.toHaveProperty('name');
    expect(of('/api/v1/pods', 'fieldSelector=%3D%3D%3D')).not.toHaveProperty('name');
    expect(of('/apis/apps/v1/namespaces/x/deployments/d/scale')).toMatchObject({
      resource: 'deployments/scale',
      group: 'apps',
    });
  });
  test('a refusal reads as in Kubernetes', () => {
    expect(refusal('u', of('/api/v1/pods'))).toBe(
      'User "u" cannot get resource "pods" in API group "" at the cluster scope',
    );
    expect(refusal('u', of('/metrics'))).toBe('User "u" cannot get path "/metrics"');
  });
});

describe('what is missing', () => {
  test.each([
    [[allow('*', '*', '*')], [allow('get', '', 'pods')], 0],
    [[allow('get', '', 'pods')], [allow('get list', '', 'pods')], 1],
    [[allow('get', '', 'pods'), allow('list', '', 'pods')], [allow('get list', '', 'pods')], 0],
    [[allow('get', '', 'pods')], [allow('get', '', 'pods', 'a b')], 0],
    [[allow('get', '', 'pods', 'a')], [allow('get', '', 'pods')], 1],
    [[allow('get', '', 'pods', 'a')], [allow('get', '', 'pods', 'a b')], 1],
    [[allow('get', '', '*/scale')], [allow('get', '', 'pods/scale')], 0],
    [[allow('get', '', 'pods')], [allow('get', '', '*')], 1],
    [[allowPaths('get', '/api/*')], [allowPaths('get', '/api/v1')], 0],
    [[allowPaths('get', '/api')], [allowPaths('get', '/api/*')], 1],
    [[allow('*', '*', '*')], [allowPaths('get', '/x')], 1],
  ])('%j against %j: %d', (held, wanted, count) => {
    expect(missingRules(held, wanted)).toHaveLength(count);
  });
  test('is said compactly', () => {
    const rules = compactRules(missingRules([], [allow('get list', '', 'pods secrets')]));
    expect(rules.map(describeRule)).toEqual([
      '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    ]);
  });
});

const user = (name: string, ...groups: string[]): Identity => ({ name, groups });
const role = (kind: string, name: string, rules: object[], namespace?: string) => ({
  kind,
  metadata: { name, ...(namespace && { namespace }) },
  rules,
});
const bind = (kind: string, name: string, to: object, subjects: object[], namespace?: string) => ({
  kind,
  metadata: { name, ...(namespace && { namespace }) },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...to },
  subjects,
});

const objects = () =>
  authView([
    role('ClusterRole', 'reader', [allow('get list', '', 'pods')]),
    role('ClusterRole', 'granter', [
      allow('create', 'rbac.authorization.k8s.io', 'roles rolebindings'),
      allow('escalate', 'rbac.authorization.k8s.io', 'roles'),
      allow('bind', 'rbac.authorization.k8s.io', 'clusterroles', 'reader'),
    ]),
    role('Role', 'writer', [allow('create', '', 'pods')], 'a'),
    bind('ClusterRoleBinding', 'all-read', { kind: 'ClusterRole', name: 'reader' }, [{ kind: 'Group', name: 'team' }]),
    bind('ClusterRoleBinding', 'granting', { kind: 'ClusterRole', name: 'granter' }, [{ kind: 'User', name: 'gran' }]),
    bind('RoleBinding', 'writes', { kind: 'Role', name: 'writer' }, [{ kind: 'ServiceAccount', name: 'bot' }], 'a'),
    bind('RoleBinding', 'reads', { kind: 'ClusterRole', name: 'reader' }, [{ kind: 'User', name: 'ann' }], 'a'),
    bind('RoleBinding', 'broken', { kind: 'Role', name: 'nowhere' }, [{ kind: 'User', name: 'bob' }], 'a'),
  ]);

describe('a decision', () => {
  const authorizer = new Authorizer(objects().view);
  test.each([
    ['ann', [], on('get', 'pods', { namespace: 'a' }), true],
    ['ann', [], on('get', 'pods', { namespace: 'b' }), false],
    ['ann', [], on('get', 'pods'), false],
    ['eve', ['team'], on('list', 'pods'), true],
    ['eve', ['team'], on('list', 'pods', { namespace: 'b' }), true],
    ['system:serviceaccount:a:bot', [], on('create', 'pods', { namespace: 'a' }), true],
    ['system:serviceaccount:b:bot', [], on('create', 'pods', { namespace: 'a' }), false],
    ['root', ['system:masters'], on('delete', 'nodes'), true],
    ['x', [], { verb: 'get', path: '/healthz' }, true],
    ['x', [], { verb: 'get', path: '/version' }, true],
    ['x', [], { verb: 'post', path: '/version' }, false],
    ['x', [], { verb: 'get', path: '/api' }, false],
  ] as [string, string[], Attributes, boolean][])('%s %j %j: %s', (name, groups, attributes, expected) => {
    expect(authorizer.decide(user(name, ...groups), attributes).allowed).toBe(expected);
  });

  test('says why', () => {
    expect(authorizer.decide(user('ann'), on('get', 'pods', { namespace: 'a' })).reason).toBe(
      'RBAC: allowed by RoleBinding "reads/a" of ClusterRole "reader" to User "ann"',
    );
    expect(
      authorizer.decide(user('system:serviceaccount:a:bot'), on('create', 'pods', { namespace: 'a' })).reason,
    ).toBe('RBAC: allowed by RoleBinding "writes/a" of Role "writer" to ServiceAccount "bot/a"');
    expect(authorizer.decide(user('bob'), on('get', 'pods', { namespace: 'a' })).reason).toBe(
      'RBAC: role.rbac.authorization.k8s.io "nowhere" not found',
    );
  });

  test('follows changes of bindings and roles at once', () => {
    const { view, put, remove } = objects();
    const fresh = new Authorizer(view);
    const may = () => fresh.decide(user('new'), on('get', 'pods', { namespace: 'c' })).allowed;
    expect(may()).toBe(false);
    put(bind('RoleBinding', 'x', { kind: 'Role', name: 'r' }, [{ kind: 'User', name: 'new' }], 'c'));
    expect(may()).toBe(false);
    put(role('Role', 'r', [allow('get', '', 'pods')], 'c'));
    expect(may()).toBe(true);
    remove('RoleBinding', 'c', 'x');
    expect(may()).toBe(false);
  });

  test('takes microseconds among ten thousand bindings', () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      bind('ClusterRoleBinding', `b${i}`, { kind: 'ClusterRole', name: 'reader' }, [{ kind: 'User', name: `u${i}` }]),
    );
    const { view, put } = objects();
    for (const binding of many) put(binding);
    const big = new Authorizer(view);
    const ask = () => big.decide(user('u7777', 'system:authenticated'), on('get', 'pods', { namespace: 'a' })).allowed;
    expect(ask()).toBe(true);
    const began = performance.now();
    for (let i = 0; i < 20_000; i++) ask();
    // generous: the machine may be busy; it measures a microsecond or two
    expect(((performance.now() - began) / 20_000) * 1000).toBeLessThan(15);
  });
});

describe('granting', () => {
  const authorizer = new Authorizer(objects().view);
  const as = (name: string, ...groups: string[]) => ({ identity: user(name, ...groups), authorizer });
  const object = (value: object) => value as unknown as AnyObject;
  const wanted = object(role('Role', 'n', [allow('get delete', '', 'pods')], 'a'));
  test('what one does not hold is refused, word for word', () => {
    expect(() => checkRoleWrite(roleKind, as('ann', 'g'), wanted, undefined)).toThrow(
      'roles.rbac.authorization.k8s.io "n" is forbidden: user "ann" (groups=["g"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    );
  });
  test('what one holds, what has not changed, and what one may escalate is not', () => {
    checkRoleWrite(roleKind, as('ann'), object(role('Role', 'n', [allow('get', '', 'pods')], 'a')), undefined);
    checkRoleWrite(roleKind, as('eve'), wanted, wanted);
    checkRoleWrite(roleKind, as('gran'), wanted, undefined);
    checkRoleWrite(roleKind, as('x', 'system:masters'), wanted, undefined);
  });
  test('binding needs the rules, or bind on that very role', () => {
    const to = (kind: string, name: string) =>
      object(bind('RoleBinding', 'b', { kind, name }, [{ kind: 'User', name: 'z' }], 'a'));
    checkBindingWrite(bindingKind, as('gran'), to('ClusterRole', 'reader'), undefined);
    checkBindingWrite(bindingKind, as('ann'), to('ClusterRole', 'reader'), undefined);
    expect(() => checkBindingWrite(bindingKind, as('gran'), to('ClusterRole', 'granter'), undefined)).not.toThrow();
    expect(() => checkBindingWrite(bindingKind, as('ann'), to('Role', 'writer'), undefined)).toThrow(
      'not currently held',
    );
    expect(() => checkBindingWrite(bindingKind, as('ann'), to('Role', 'none'), undefined)).toThrow(
      'roles.rbac.authorization.k8s.io "none" not found',
    );
  });
});

test('an aggregated role is made of what its selectors choose, each rule once', () => {
  const made = (name: string, labels: Record<string, string>, rules: object[]) => ({
    apiVersion: 'v1',
    kind: 'ClusterRole',
    metadata: { name, labels },
    rules,
  });
  const sum = {
    ...made('sum', { to: 'sum' }, []),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: 'sum' } }] },
  };
  const all = [
    sum,
    made('b', { to: 'sum' }, [allow('get', '', 'pods')]),
    made('a', { to: 'sum' }, [allow('get', '', 'pods'), allow('list', '', 'pods')]),
    made('c', {}, [allow('*', '*', '*')]),
  ];
  expect(aggregated(sum, all)).toEqual([allow('get', '', 'pods'), allow('list', '', 'pods')]);
});

/** A few objects as the authoriser sees them, for tables. */
import type { RbacView } from '../../src/api/auth/rbac.js';
import type { AnyObject } from '../../src/api/kind.js';
import type { ObjectChange } from '../../src/api/view.js';

export interface AuthView {
  readonly view: RbacView;
  put(object: object): void;
  remove(kind: string, namespace: string | undefined, name: string): void;
}

export function authView(given: readonly object[]): AuthView {
  const objects = new Map<string, AnyObject>();
  const listeners: ((change: ObjectChange) => void)[] = [];
  const key = (kind: string, namespace: string | undefined, name: string): string =>
    `${kind}/${namespace ?? ''}/${name}`;
  const put = (object: object): void => {
    const one = object as AnyObject;
    objects.set(key(one.kind, one.metadata.namespace, one.metadata.name), one);
    for (const listener of listeners) listener({ revision: 1, type: 'MODIFIED', kind: one.kind, object: one });
  };
  for (const object of given) put(object);
  return {
    put,
    remove: (kind, namespace, name) => {
      const object = objects.get(key(kind, namespace, name));
      objects.delete(key(kind, namespace, name));
      if (object) for (const listener of listeners) listener({ revision: 1, type: 'DELETED', kind, object });
    },
    view: {
      get: (kind, namespace, name) => objects.get(key(kind, namespace, name)),
      list: (kind, namespace) =>
        [...objects.values()].filter(
          one => one.kind === kind && (namespace === undefined || one.metadata.namespace === namespace),
        ),
      subscribe: listener => {
        listeners.push(listener);
        return { close: () => {} };
      },
    },
  };
}

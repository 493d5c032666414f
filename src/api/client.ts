/**
 * The API without HTTP, for the parts of this process that write: the link's hub, the scheduler, the controllers. Same
 * validation, defaults, admission and optimistic concurrency as for everybody else. All throw StatusError.
 */

import { clone, deepEqual, isObject } from '../kube/json.js';
import type { ObjectReference } from '../kube/meta.js';
import { generatedSuffix } from '../kube/names.js';
import type { KubeEvent, Node } from '../kube/node.js';
import type { Pod, PodStatus } from '../kube/pod.js';
import { StatusError } from '../kube/status.js';
import { microTimestamp, timestamp } from '../kube/time.js';
import type { Engine } from './engine.js';
import { invalidObject, pathNotFound } from './errors.js';
import type { AnyObject, Kind } from './kind.js';
import { decodePodStatus, decodeReport, eventOfNode, labelsOfNode } from './node-reports.js';
import { applyMergePatch } from './patch/merge.js';
import { bindPod } from './subresources/binding.js';
import { validateMetadata } from './validate.js';
import { createObject } from './verbs/create.js';
import { type Deleted, type DeleteOptions, deleteObject } from './verbs/delete.js';
import { type UpdateOptions, updateObject } from './verbs/update.js';
import type { ViewEntry } from './view.js';

/** The result of a write: the object as stored, and the revision that it was stored at. */
export interface Written {
  readonly object: AnyObject;
  readonly revision: number;
}

export interface Target {
  readonly namespace?: string | undefined;
  readonly name: string;
  /** Precondition: still this object. */
  readonly uid?: string | undefined;
}

const writtenOf = ({ object, revision }: ViewEntry): Written => ({ object, revision });

export class ApiClient {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create(kind: string, object: object): Promise<Written> {
    const given = object as AnyObject;
    return writtenOf(await createObject(this.#engine, this.#kind(kind), given.metadata.namespace, given));
  }

  /** @param change gets the stored, frozen object and returns the new one. Runs again after a lost race. */
  async update(
    kind: string,
    target: Target,
    change: (old: AnyObject) => AnyObject,
    part: UpdateOptions['part'] = 'object',
  ): Promise<Written> {
    return writtenOf(
      await updateObject(this.#engine, this.#kind(kind), target.namespace, target.name, change, {
        part,
        uid: target.uid,
      }),
    );
  }

  /** @param resourceVersion precondition, if given. */
  patch(
    kind: string,
    target: Target & { readonly resourceVersion?: string | undefined },
    patch: object,
    subresource?: 'status' | 'finalize',
  ): Promise<Written> {
    const change = (old: AnyObject): AnyObject => {
      const next = applyMergePatch(old, patch) as AnyObject;
      if (target.resourceVersion) next.metadata.resourceVersion = target.resourceVersion;
      return next;
    };
    return this.update(
      kind,
      target,
      change,
      subresource === 'status' ? 'status' : subresource === 'finalize' ? 'server' : 'object',
    );
  }

  updateStatus(kind: string, target: Target, status: object): Promise<Written> {
    return this.update(kind, target, old => ({ ...withoutRevision(old), status }), 'status');
  }

  async delete(
    kind: string,
    target: Target,
    options: Omit<DeleteOptions, 'uid'> = {},
  ): Promise<Written & Pick<Deleted, 'gone'>> {
    const { gone, entry } = await deleteObject(this.#engine, this.#kind(kind), target.namespace, target.name, {
      ...options,
      uid: target.uid,
    });
    return { gone, ...writtenOf(entry) };
  }

  async bind(pod: Target & { readonly namespace: string }, node: string): Promise<Written> {
    return writtenOf(await bindPod(this.#engine, this.#kind('Pod'), pod.namespace, pod.name, node, { uid: pod.uid }));
  }

  /** What the hub needs for `podStatus`: only if it is that pod, and on that node. */
  async updatePodStatus(
    node: string,
    pod: Required<Pick<Target, 'uid'>> & { namespace: string; name: string },
    given: PodStatus,
  ): Promise<Written> {
    const status = decodePodStatus(this.#kind('Pod'), given);
    const change = (old: AnyObject): AnyObject => {
      if ((old as unknown as Pod).spec.nodeName !== node) throw pathNotFound();
      return { ...withoutRevision(old), status: keepSchedulerConditions(old, status) };
    };
    return this.update('Pod', pod, change, 'status');
  }

  /** The node has stopped everything of it: a deleted pod goes, an undeleted one is left alone. Gone already is success. */
  async removePod(
    node: string,
    pod: Required<Pick<Target, 'uid'>> & { namespace: string; name: string },
  ): Promise<number> {
    const found = this.#engine.view.get('Pod', pod.namespace, pod.name) as unknown as Pod | undefined;
    if (!found || found.metadata.uid !== pod.uid) return this.#engine.view.revision;
    if (found.spec.nodeName !== node || !found.metadata.deletionTimestamp) throw pathNotFound();
    try {
      return (await this.delete('Pod', pod, { gracePeriodSeconds: 0 })).revision;
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return this.#engine.view.revision;
      throw error;
    }
  }

  /**
   * Registers a Node or refreshes what the node itself says: its status, and its own labels and annotations beside those
   * that others have set. Taints, `unschedulable` and the pod CIDR stay as they are once registered.
   */
  async registerNode(name: string, node: Node): Promise<Written> {
    const kind = this.#kind('Node');
    const given = decodeReport(kind, node);
    given.metadata = { ...given.metadata, name, labels: labelsOfNode(given.metadata.labels) };
    const errors = validateMetadata(kind, given);
    if (errors.length > 0) throw invalidObject(kind, name, errors);
    if (!this.#engine.view.get('Node', undefined, name)) {
      const made = await this.#createOrUndefined('Node', { ...given, metadata: { ...given.metadata, name } });
      if (made && !given.status) return made;
    }
    const { labels = {}, annotations = {} } = given.metadata ?? {};
    return this.update(
      'Node',
      { name },
      old => ({
        ...clone(withoutRevision(old)),
        metadata: {
          ...clone(withoutRevision(old).metadata),
          labels: { ...old.metadata.labels, ...labels },
          annotations: { ...old.metadata.annotations, ...annotations },
        },
        status: { ...(isObject(old.status) ? old.status : {}), ...(given.status as object | undefined) },
      }),
      'server',
    );
  }

  /** Renews the node's Lease, making it at the first time. */
  async heartbeat(name: string): Promise<Written> {
    const namespace = 'kube-node-lease';
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTimestamp(this.#engine.now()) };
    if (!this.#engine.view.get('Lease', namespace, name)) {
      const made = await this.#createOrUndefined('Lease', { metadata: { name, namespace }, spec });
      if (made) return made;
    }
    return this.patch('Lease', { namespace, name }, { spec });
  }

  /**
   * Creates an Event of a node, or counts up the one of that name: counting is the sender's job, it keeps the name. Only
   * about the node itself and its pods.
   */
  async recordEvent(node: string, given: KubeEvent): Promise<Written> {
    const event = eventOfNode(
      node,
      decodeReport(this.#kind('Event'), given) as unknown as KubeEvent,
      this.#engine.view,
    );
    const { namespace = 'default', name } = event.metadata;
    if (!this.#engine.view.get('Event', namespace, name)) {
      const made = await this.#createOrUndefined('Event', { ...event, metadata: { ...event.metadata, namespace } });
      if (made) return made;
    }
    const { count, lastTimestamp, message } = event;
    return this.patch(
      'Event',
      { namespace, name },
      { ...(count && { count }), ...(lastTimestamp && { lastTimestamp }), ...(message && { message }) },
    );
  }

  /** A new Event about an object, from a part of this process. */
  event(
    component: string,
    about: ObjectReference,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): Promise<Written> {
    const now = timestamp(this.#engine.now());
    const namespace = about.namespace ?? 'default';
    const unique = this.#engine.now().toString(16) + generatedSuffix(this.#engine.random);
    return this.create('Event', {
      metadata: { name: `${about.name.slice(0, 253 - unique.length - 1).replace(/[-.]+$/, '')}.${unique}`, namespace },
      involvedObject: about,
      type,
      reason,
      message: message.slice(0, 1024),
      source: { component },
      reportingComponent: component,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    });
  }

  async #createOrUndefined(kind: string, object: object): Promise<Written | undefined> {
    try {
      return await this.create(kind, object);
    } catch (error) {
      if (error instanceof StatusError && error.reason === 'AlreadyExists') return undefined;
      throw error;
    }
  }

  #kind(name: string): Kind {
    const kind = this.#engine.kinds.byId(name);
    if (!kind) throw pathNotFound();
    return kind;
  }
}

function withoutRevision(object: AnyObject): AnyObject {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** The node reports on its containers; that the pod was scheduled, or has to go for another, or what its gates wait for, is not its to say. */
function keepSchedulerConditions(old: AnyObject, status: PodStatus): PodStatus {
  const stored = (old as unknown as Pod).status?.conditions ?? [];
  // of a pod that was bound by its own manifest nobody else has said it
  const scheduled = stored.some(({ type }) => type === 'PodScheduled');
  const own = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled' || !scheduled);
  const gates = (old as unknown as Pod).spec.readinessGates?.map(({ conditionType }) => conditionType) ?? [];
  const isKept = ({ type }: { type: string }) =>
    type === 'PodScheduled' ||
    (['DisruptionTarget', ...gates].includes(type) && !own.some(condition => condition.type === type));
  const before = stored.filter(isKept);
  const conditions = [...own, ...before];
  return deepEqual(conditions, status.conditions) || conditions.length === 0 ? status : { ...status, conditions };
}

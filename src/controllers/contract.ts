/**
 * What a controller is: a name, what wakes it, what it alone writes, and one pure function. No I/O can reach a decision: the
 * function is not async and sees nothing but its facts. runner.ts does everything else.
 */
import type { KubeObject, ObjectReference } from '../kube/meta.js';

/** Names what one run is about; each controller says what its keys mean. */
export type Key = string;

/** Any object, as a decision sees it: frozen. */
export type Seen = KubeObject & { readonly [field: string]: unknown };

export interface FactsView {
  get(kind: string, namespace: string | undefined, name: string): Seen | undefined;
  list(kind: string, namespace?: string): readonly Seen[];
  /** Kinds whose objects live in namespaces. */
  readonly namespacedKinds: readonly string[];
  /** Objects that name this UID as an owner. */
  dependents(uid: string): readonly Seen[];
  /** Objects of a kind that no controller has: what could be adopted. Only for kinds that controllers adopt. */
  orphans(kind: string, namespace: string | undefined): readonly Seen[];
  /** How a quota names the kind of that name here. */
  countedAs(kind: string): { readonly group: string; readonly plural: string } | undefined;
  /** The kind's name here for what a reference calls it; undefined for what is not served. */
  kindOf(apiVersion: string, kind: string): { readonly name: string; readonly namespaced: boolean } | undefined;
}

/** All that a decision may know. */
export interface Facts {
  readonly view: FactsView;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly random: () => number;
  /**
   * When this process saw the newest state (or the deletion) of an object of a kind in `observes`, by its own clock; the
   * time of its start for what it has not seen change. So the clocks of nodes are never trusted, and a restart gives all of
   * them their full time again.
   */
  seenAt(kind: string, namespace: string | undefined, name: string): number;
  /**
   * The API has refused what this key wanted to create, and not taken anything since. The runner holds further creates of
   * the key back for a growing while by itself; this is for telling people.
   */
  readonly refused?: Refusal | undefined;
}

export interface Refusal {
  /** The API's own words. */
  readonly message: string;
  /** The reason of its Status: `Invalid`, `Forbidden`. */
  readonly reason: string;
}

export interface Wake {
  /** A kind's name, `*` for all kinds with a namespace, `**` for all. */
  readonly kind: string;
  /** Which keys of ours a change (or the deletion) of this object means. */
  readonly keys: (object: Seen, deleted: boolean, view: FactsView) => readonly Key[];
}

export interface Target {
  /** With it, `kind` is what the object itself calls its kind; without, a name as `FactsView` knows it. */
  readonly apiVersion?: string | undefined;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** Events that the runner sends about `about` once it knows how the action went. */
export interface Tell {
  readonly about: ObjectReference;
  readonly done?: { readonly reason: string; readonly message: string };
  /** The event is a warning; `: ` and the API's words are added to its message. */
  readonly failed?: { readonly reason: string; readonly message: string };
}

export type Action =
  /** Neighbouring creates are under way together: one, then two, four, eight…; none after one has been refused. */
  | { readonly do: 'create'; readonly object: KubeObject; readonly tell?: Tell }
  /** Merge patch, at the resourceVersion that the decision was made on. */
  | {
      readonly do: 'patch';
      readonly target: Target;
      readonly at: string | undefined;
      readonly patch: object;
      readonly subresource?: 'status' | 'finalize';
      readonly tell?: Tell;
    }
  /** Needs a key, which no decision sees: the certificate of a CertificateSigningRequest, the token of a Secret. */
  | { readonly do: 'issue'; readonly what: 'certificate' | 'token'; readonly target: Target }
  | {
      readonly do: 'delete';
      readonly target: Target;
      readonly graceSeconds?: number;
      readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
      readonly tell?: Tell;
    }
  | {
      readonly do: 'event';
      readonly about: ObjectReference;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    };

export interface Outcome {
  readonly actions: readonly Action[];
  readonly requeueAfterMs?: number;
}

export const nothing: Outcome = { actions: [] };

export interface Controller {
  readonly name: string;
  readonly wakes: readonly Wake[];
  /** What only this controller writes, for people. */
  readonly writes: readonly string[];
  /** Kinds whose `seenAt` it asks for. */
  readonly observes?: readonly string[];
  /** How many of its keys may run at once. Default 1. */
  readonly concurrency?: number;
  /** Keys to run at start, beside those of existing objects. */
  readonly startKeys?: readonly Key[];
  /** Synchronous and pure: the same facts give the same outcome. */
  reconcile(facts: Facts, key: Key): Outcome;
}

export function targetOf(object: KubeObject): Target {
  const { namespace, name, uid } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace && { namespace }),
    name,
    ...(uid && { uid }),
  };
}

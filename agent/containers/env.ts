/**
 * The environment of a container from its `env` and `envFrom`, as kubelet makes it (kubelet_pods.go
 * makeEnvironmentVariables). Pure: whatever it refers to is handed in. Errors carry kubelet's text and become
 * CreateContainerConfigError.
 */
import type { ConfigMap, Secret } from '../../src/kube/node.js';
import type { Container, EnvFromSource, EnvVar, Pod } from '../../src/kube/pod.js';
import { ContainerConfigError } from './contract.js';
import { expand } from './expand.js';
import { formatResource, resourceNanos } from './resource-field.js';

export interface EnvFacts {
  readonly pod: Pod;
  readonly container: Container;
  /** Objects of the pod's namespace, by name. */
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Variables of Services; with the lowest precedence. */
  readonly services: readonly (readonly [name: string, value: string])[];
  /** One of each family at most, the primary one first. */
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Node allocatable in Kubernetes quantities: the default of resourceFieldRef limits. */
  readonly allocatable: Readonly<Record<string, string>>;
}

type Values = Map<string, string>;

const decode = (base64: string) => Buffer.from(base64, 'base64').toString('utf8');

/** Never what every object inherits: `constructor` is a key like any other. */
const ownText = (texts: Readonly<Record<string, string>> | undefined, key: string): string | undefined =>
  texts && Object.hasOwn(texts, key) ? texts[key] : undefined;

function missing(kind: 'configmap' | 'secret', name: string): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name}" not found`);
}

function dataOf(facts: EnvFacts, source: EnvFromSource): Record<string, string> {
  const { configMapRef, secretRef } = source;
  if (configMapRef) {
    const found = facts.configMaps.get(configMapRef.name);
    if (!found && !configMapRef.optional) throw missing('configmap', configMapRef.name);
    return found?.data ?? {};
  }
  if (!secretRef) return {};
  const found = facts.secrets.get(secretRef.name);
  if (!found && !secretRef.optional) throw missing('secret', secretRef.name);
  return Object.fromEntries(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

function addFrom(values: Values, facts: EnvFacts): void {
  for (const source of facts.container.envFrom ?? []) {
    for (const [key, value] of Object.entries(dataOf(facts, source))) {
      const name = `${source.prefix ?? ''}${key}`;
      // a name that no process could have is left out, as kubelet does (with an event there)
      if (name !== '' && !/[=\0]/.test(name)) values.set(name, value);
    }
  }
}

function keyOfObject(facts: EnvFacts, from: NonNullable<EnvVar['valueFrom']>): string | undefined {
  const { configMapKeyRef, secretKeyRef } = from;
  if (configMapKeyRef) {
    const { name, key, optional } = configMapKeyRef;
    const found = facts.configMaps.get(name);
    if (!found && !optional) throw missing('configmap', name);
    const value = ownText(found?.data, key);
    if (value === undefined && !optional)
      throw new ContainerConfigError(`couldn't find key ${key} in ConfigMap ${namespaceOf(facts)}/${name}`);
    return value;
  }
  if (!secretKeyRef) return undefined;
  const { name, key, optional } = secretKeyRef;
  const found = facts.secrets.get(name);
  if (!found && !optional) throw missing('secret', name);
  const value = ownText(found?.data, key);
  if (value === undefined && !optional)
    throw new ContainerConfigError(`couldn't find key ${key} in Secret ${namespaceOf(facts)}/${name}`);
  return value === undefined ? undefined : decode(value);
}

const namespaceOf = ({ pod }: EnvFacts) => pod.metadata.namespace ?? 'default';

/** `metadata.labels['app']` → its value. */
function keyedField(path: string, pod: Pod): string | undefined {
  const match = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  return match ? (ownText(pod.metadata[match[1] as 'labels' | 'annotations'], match[2]!) ?? '') : undefined;
}

/** What `fieldRef` may name in an environment (core/v1 EnvVarSource). */
export function fieldValue(facts: EnvFacts, path: string): string {
  const { pod, hostIPs, podIPs } = facts;
  const { metadata, spec } = pod;
  const simple: Record<string, string | undefined> = {
    'metadata.name': metadata.name,
    'metadata.namespace': namespaceOf(facts),
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.hostIP': hostIPs[0],
    'status.hostIPs': hostIPs.join(','),
    'status.podIP': podIPs[0],
    'status.podIPs': podIPs.join(','),
  };
  const value = Object.hasOwn(simple, path) ? (simple[path] ?? '') : keyedField(path, pod);
  if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  return value;
}

function resourceFieldValue(
  facts: EnvFacts,
  ref: NonNullable<NonNullable<EnvVar['valueFrom']>['resourceFieldRef']>,
): string {
  const { pod, container, allocatable } = facts;
  const named = ref.containerName ?? container.name;
  const target = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(c => c.name === named);
  if (!target) throw new ContainerConfigError(`container ${named} not found`);
  return formatResource(ref.resource, resourceNanos(target, ref.resource, allocatable), ref.divisor);
}

function valueOfVariable(facts: EnvFacts, variable: EnvVar, known: Values): string | undefined {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? '', name => known.get(name));
  if (from.fieldRef) return fieldValue(facts, from.fieldRef.fieldPath);
  if (from.resourceFieldRef) return resourceFieldValue(facts, from.resourceFieldRef);
  return keyOfObject(facts, from);
}

/**
 * Name → value. Later ones win: services, then envFrom in order, then env in order; a value may name what stands before
 * it. @throws ContainerConfigError for what is missing and not optional
 */
export function resolveEnv(facts: EnvFacts): Map<string, string> {
  const values: Values = new Map(facts.services);
  addFrom(values, facts);
  for (const variable of facts.container.env ?? []) {
    const value = valueOfVariable(facts, variable, values);
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

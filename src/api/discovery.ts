/** What kinds there are, in the three forms that clients of different ages ask for (kubernetes-wire §3). Pure. */
import { pathNotFound } from './errors.js';
import { allVerbs, apiVersionOf, type Kind } from './kind.js';
import { parseAccept } from './negotiate.js';
import { unknownResource } from './old-versions.js';

export interface DiscoveryAnswer {
  readonly contentType: string;
  readonly body: object;
}

/** @param path the segments, `api` or `apis` first. Throws StatusError 404. */
export function discover(
  kinds: readonly Kind[],
  path: readonly string[],
  accept: string | undefined,
  serverAddress: string,
): DiscoveryAnswer {
  const [root, group, version] = path;
  if (path.length === 1) {
    const aggregated = aggregatedVersion(accept);
    if (aggregated)
      return {
        contentType: `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`,
        body: aggregate(kinds, root === 'api', aggregated),
      };
    return plain(root === 'api' ? legacyVersions(serverAddress) : groupList(kinds));
  }
  if (root === 'api') return plain(resourceList(kinds, '', group!));
  if (version === undefined) return plain(groupOf(kinds, group!));
  return plain(resourceList(kinds, group!, version));
}

const plain = (body: object): DiscoveryAnswer => ({ contentType: 'application/json', body });

/** The newest aggregated form that the client lists before plain JSON. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== 'application/json') continue;
    if (parameters.as !== 'APIGroupDiscoveryList') return undefined;
    if (parameters.v === 'v2' || parameters.v === 'v2beta1') return parameters.v;
  }
  return undefined;
}

function groupsOf(kinds: readonly Kind[]): Map<string, Map<string, Kind[]>> {
  const groups = new Map<string, Map<string, Kind[]>>();
  for (const kind of kinds) {
    const versions = groups.get(kind.group) ?? new Map<string, Kind[]>();
    groups.set(kind.group, versions);
    versions.set(kind.version, [...(versions.get(kind.version) ?? []), kind]);
  }
  return groups;
}

const verbsOf = (kind: Kind): readonly string[] => kind.verbs ?? allVerbs;
const identity = ({ group, version, kind }: { group: string; version: string; kind: string }) => ({
  group,
  version,
  kind,
});

function aggregate(kinds: readonly Kind[], core: boolean, version: 'v2' | 'v2beta1'): object {
  const groups = [...groupsOf(kinds)].filter(([group]) => (group === '') === core);
  const items = groups.map(([group, versions]) => ({
    metadata: { ...(group && { name: group }), creationTimestamp: null },
    versions: [...versions].map(([name, list]) => ({
      version: name,
      freshness: 'Current',
      resources: list.map(aggregatedResource),
    })),
  }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

function aggregatedResource(kind: Kind): object {
  const { plural, singular, namespaced, shortNames, categories, subresources = [] } = kind;
  return {
    resource: plural,
    responseKind: identity(kind),
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(kind),
    ...(shortNames && { shortNames }),
    ...(categories && { categories }),
    ...(subresources.length > 0 && {
      subresources: subresources.map(({ name, responseKind = kind, verbs }) => ({
        subresource: name,
        responseKind: identity(responseKind),
        verbs,
      })),
    }),
  };
}

function legacyVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

function groupEntry(group: string, versions: ReadonlyMap<string, unknown>): object {
  const list = [...versions.keys()].map(version => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

function groupList(kinds: readonly Kind[]): object {
  const groups = [...groupsOf(kinds)]
    .filter(([group]) => group !== '')
    .map(([group, versions]) => groupEntry(group, versions));
  return { kind: 'APIGroupList', apiVersion: 'v1', groups };
}

function groupOf(kinds: readonly Kind[], group: string): object {
  const versions = groupsOf(kinds).get(group);
  if (!versions || group === '') throw pathNotFound();
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group, versions) };
}

function resourceList(kinds: readonly Kind[], group: string, version: string): object {
  const list = groupsOf(kinds).get(group)?.get(version);
  if (!list) throw unknownResource(group, version);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: list.flatMap(legacyRows),
  };
}

function legacyRows(kind: Kind): object[] {
  const { plural, singular, namespaced, shortNames, categories, subresources = [] } = kind;
  const own = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs: verbsOf(kind),
    ...(shortNames && { shortNames }),
    ...(categories && { categories }),
  };
  const rows = subresources.map(({ name, responseKind, verbs }) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...(responseKind &&
      apiVersionOf(responseKind) !== apiVersionOf(kind) && {
        group: responseKind.group,
        version: responseKind.version,
      }),
    kind: responseKind?.kind ?? kind.kind,
    verbs,
  }));
  return [own, ...rows];
}

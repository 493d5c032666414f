/** The parts of the page: nodes, pods, events, and the door. Text from the cluster is only ever set as text. */
import { useState } from 'preact/hooks';
import type { EventRow, NodeRow, PodRow, Usage } from '../rows.js';
import { Chart } from './chart.js';
import { age, bytes, cores } from './format.js';
import type { PageState } from './store.js';

export function Login({ reason, onToken }: { reason: string; onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  return (
    <form
      class="login"
      onSubmit={event => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <h1>Keelson</h1>
      <p>
        Paste the dashboard's token. On the controller's machine, <code>keelson token dashboard</code> prints it.
      </p>
      <input
        name="token"
        type="password"
        autocomplete="off"
        aria-label="token"
        placeholder="token"
        value={token}
        onInput={event => setToken(event.currentTarget.value)}
      />
      <button type="submit" disabled={token.trim() === ''}>
        Look
      </button>
      {reason && <p class="bad">{reason}</p>}
    </form>
  );
}

export function Nodes({ state, now }: { state: PageState; now: number }) {
  return (
    <section class="nodes" aria-label="nodes">
      {sorted(state.nodes).map(node => (
        <NodeCard key={node.key} node={node} state={state} now={now} />
      ))}
    </section>
  );
}

function NodeCard({ node, state, now }: { node: NodeRow; state: PageState; now: number }) {
  const usage = state.usage[`node/${node.name}`];
  const history = state.history[node.name] ?? { times: [], cpu: [], memory: [] };
  const pods = [...state.pods.values()].filter(p => p.node === node.name).length;
  return (
    <article class="card node" data-node={node.name}>
      <header>
        <span class={`dot ${node.ready ? 'good' : 'bad'}`} title={node.reason} />
        <h2>{node.name}</h2>
        <span class="quiet">{node.address}</span>
        <span class="pods">
          {pods}/{node.maxPods} pods
        </span>
      </header>
      <div class="meters">
        <div>
          <p class="meter">
            CPU <b>{usage ? cores(usage.cpuCores) : '–'}</b> of {node.cpus}
          </p>
          <Chart
            times={history.times}
            values={history.cpu}
            max={node.cpus}
            colour="--cpu"
            label={`CPU of ${node.name}`}
          />
        </div>
        <div>
          <p class="meter">
            Memory <b>{usage ? bytes(usage.memoryBytes) : '–'}</b> of {bytes(node.memoryBytes)}
          </p>
          <Chart
            times={history.times}
            values={history.memory}
            max={node.memoryBytes}
            colour="--memory"
            label={`Memory of ${node.name}`}
          />
        </div>
      </div>
      <footer class="quiet">
        {node.version} · Linux {node.kernel} · {age(node.created, now)}
      </footer>
    </article>
  );
}

export function Pods({ state, now }: { state: PageState; now: number }) {
  const [filter, setFilter] = useState('');
  const rows = sorted(state.pods).filter(p =>
    `${p.namespace}/${p.name} ${p.status} ${p.node} ${p.ip}`.toLowerCase().includes(filter.toLowerCase()),
  );
  return (
    <section class="card" aria-label="pods">
      <header>
        <h2>
          Pods <span class="count">{state.pods.size}</span>
        </h2>
        <input
          type="search"
          placeholder="filter"
          aria-label="filter pods"
          value={filter}
          onInput={event => setFilter(event.currentTarget.value)}
        />
      </header>
      {rows.length === 0 ? (
        <p class="quiet empty">{filter ? 'No pod matches.' : 'No pods yet. Try: kubectl apply -f examples/'}</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                {[
                  'Namespace',
                  'Name',
                  'Ready',
                  'Status',
                  'Restarts',
                  'CPU',
                  'Memory',
                  'Received / sent',
                  'IP',
                  'Node',
                  'Age',
                ].map(name => (
                  <th key={name}>{name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(pod => (
                <PodLine key={pod.key} pod={pod} state={state} now={now} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function PodLine({ pod, state, now }: { pod: PodRow; state: PageState; now: number }) {
  const usage = state.usage[pod.key];
  return (
    <tr data-pod={`${pod.namespace}/${pod.name}`}>
      <td class="quiet">{pod.namespace}</td>
      <td class="name">{pod.name}</td>
      <td>{pod.ready}</td>
      <td>
        <span class={`pill ${tone(pod.status)}`}>{pod.status}</span>
      </td>
      <td class="number">{pod.restarts}</td>
      <td class="number">{usage ? cores(usage.cpuCores) : '–'}</td>
      <td class="number">{usage ? bytes(usage.memoryBytes) : '–'}</td>
      <td class="number">{traffic(usage)}</td>
      <td class="mono">{pod.ip}</td>
      <td>{pod.node}</td>
      <td class="number">{age(pod.created, now)}</td>
    </tr>
  );
}

/** Received and sent, since the pod was made. */
const traffic = (usage: Usage | undefined): string =>
  usage?.network ? `${bytes(usage.network.receivedBytes)} / ${bytes(usage.network.sentBytes)}` : '–';

function tone(status: string): string {
  if (status === 'Running') return 'good';
  if (status === 'Completed' || status === 'Succeeded') return 'done';
  if (['Pending', 'ContainerCreating', 'PodInitializing', 'Terminating'].includes(status) || status.startsWith('Init:'))
    return 'waiting';
  return 'bad';
}

export function Events({ state, now }: { state: PageState; now: number }) {
  const rows = [...state.events.values()].sort((a, b) => b.at.localeCompare(a.at)).slice(0, 60);
  return (
    <section class="card events" aria-label="events">
      <header>
        <h2>Events</h2>
      </header>
      {rows.length === 0 && <p class="quiet empty">Nothing has happened yet.</p>}
      <ol>
        {rows.map(event => (
          <EventLine key={event.key} event={event} now={now} />
        ))}
      </ol>
    </section>
  );
}

function EventLine({ event, now }: { event: EventRow; now: number }) {
  return (
    <li class={event.type === 'Warning' ? 'warning' : ''}>
      <time class="quiet">{age(event.at, now)}</time>
      <b>{event.reason}</b>
      <span class="mono">{event.object}</span>
      <span class="message">
        {event.message}
        {event.count > 1 && <span class="quiet"> ×{event.count}</span>}
      </span>
    </li>
  );
}

function sorted<R extends { key: string; name: string; namespace?: string }>(rows: ReadonlyMap<string, R>): R[] {
  return [...rows.values()].sort(
    (a, b) => (a.namespace ?? '').localeCompare(b.namespace ?? '') || a.name.localeCompare(b.name),
  );
}

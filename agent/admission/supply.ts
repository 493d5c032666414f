/**
 * Puts this node's resources together: the machine's capacity, what the system keeps, CPUs, devices; tells when it changes.
 */
import { join } from 'node:path';
import { UserError } from '../../src/base/errors.js';
import type { Logger } from '../../src/base/log.js';
import type { Node } from '../../src/kube/node.js';
import { milliValue } from '../../src/kube/quantity.js';
import { CpuManager } from '../cgroups/cpu-manager.js';
import { readCores } from '../cgroups/cpu-topology.js';
import { readHugepages } from '../cgroups/hugepages.js';
import { DeviceManager } from '../devices/manager.js';
import { PluginFiles } from '../devices/plugin-files.js';
import type { ImageGcOptions } from '../eviction/image-gc.js';
import { type EvictionOptions, keptByThresholds, type Signal } from '../eviction/thresholds.js';
import { cpuCount, diskOf, memoryBytes } from '../machine.js';
import type { ShutdownOptions } from '../shutdown.js';
import { type Capacity, nodeCapacity, type Quantities } from './capacity.js';
import { NodeResources } from './node-resources.js';

/** What an administrator decides (docs/resources.md). */
export interface ResourceOptions {
  readonly cpuManagerPolicy: 'none' | 'static';
  readonly reservedCpus: readonly number[];
  readonly podPidsLimit: number;
  readonly memoryQos: boolean;
  readonly systemReserved: Quantities;
  readonly kubeReserved: Quantities;
  readonly devicesDir: string;
  readonly eviction: EvictionOptions;
  readonly imageGc: ImageGcOptions;
  readonly shutdown: ShutdownOptions;
}

export interface SupplyOptions {
  readonly options: ResourceOptions;
  readonly dataDir: string;
  readonly maxPods: number;
  readonly controllers: ReadonlySet<string>;
  readonly log: Logger;
  readonly node: () => Node | undefined;
  /** What pods hold in all is another now. */
  readonly onHeld: () => void;
  /** Capacity or allocatable is another one now. */
  readonly onChange: () => void;
}

export class NodeSupply {
  readonly resources: NodeResources;
  readonly #devices: DeviceManager;
  readonly #files: PluginFiles;
  readonly #hugepages: Readonly<Record<string, number>>;
  #allocatable: Quantities | undefined;

  constructor(readonly of: SupplyOptions) {
    const { options, dataDir, controllers, log, node } = of;
    const problem = (message: string): void => log.warn({ message }, 'node resources');
    this.#hugepages = controllers.has('hugetlb') ? readHugepages() : {};
    this.#devices = new DeviceManager(join(dataDir, 'devices.json'), problem);
    this.#files = new PluginFiles({
      directory: options.devicesDir,
      onChange: inventory => {
        this.#devices.setInventory(inventory);
        this.#allocatable = undefined;
        of.onChange();
      },
      onProblem: message => log.error({ message }, 'device file ignored'),
    });
    this.resources = new NodeResources({
      controllers,
      cpus: cpuManager(options, dataDir, controllers, problem),
      devices: this.#devices,
      allocatable: () => this.allocatable,
      hugepages: Object.keys(this.#hugepages),
      podPidsLimit: options.podPidsLimit,
      memoryQos: options.memoryQos,
      node,
      onChange: of.onHeld,
    });
  }

  /** What pods may have, as the node was looked at last: each pod asks several times. */
  get allocatable(): Quantities {
    return this.#allocatable ?? this.capacity().allocatable;
  }

  /** Looks at the machine. */
  capacity(): Capacity {
    const found = this.#measure();
    this.#allocatable = found.allocatable;
    return found;
  }

  #measure(): Capacity {
    const { options, dataDir, maxPods } = this.of;
    const { reservedCpus, systemReserved, kubeReserved } = options;
    const explicit = reservedCpus.length > 0;
    const total = memoryBytes('MemTotal');
    const diskBytes = diskOf(dataDir).totalBytes;
    const kept = (signal: Signal, capacity: number) => keptByThresholds(options.eviction.thresholds, signal, capacity);
    return nodeCapacity({
      cpus: cpuCount(),
      memoryBytes: total,
      diskBytes,
      thresholds: { memory: kept('memory.available', total), disk: kept('nodefs.available', diskBytes) },
      maxPods,
      hugepages: this.#hugepages,
      devices: this.#devices.counts(),
      // a list of reserved CPUs takes the place of their numbers
      reserved: explicit
        ? [withoutCpu(systemReserved), withoutCpu(kubeReserved), { cpu: String(reservedCpus.length) }]
        : [systemReserved, kubeReserved],
    });
  }

  start(): Promise<void> {
    return this.#files.start();
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}

const withoutCpu = ({ cpu: _, ...others }: Quantities): Quantities => others;

/** @throws UserError where the static policy lacks what it needs */
function cpuManager(
  { cpuManagerPolicy, reservedCpus, systemReserved, kubeReserved }: ResourceOptions,
  dataDir: string,
  controllers: ReadonlySet<string>,
  onProblem: (message: string) => void,
): CpuManager | undefined {
  if (cpuManagerPolicy === 'none') return undefined;
  if (!controllers.has('cpuset'))
    throw new UserError('--cpu-manager-policy static: this kernel has no cgroup v2 controller "cpuset"');
  const cores = readCores();
  const milli = milliValue(systemReserved['cpu'] ?? '0') + milliValue(kubeReserved['cpu'] ?? '0');
  const byCount = cores.flat().slice(0, Math.ceil(Number(milli) / 1000));
  const reserved = reservedCpus.length > 0 ? reservedCpus : byCount;
  const online = cores.flat();
  const unknown = reserved.find(cpu => !online.includes(cpu));
  if (unknown !== undefined)
    throw new UserError(`--reserved-cpus: CPU ${unknown} is not online; online: ${online.join()}`);
  if (reserved.length === 0)
    throw new UserError(
      '--cpu-manager-policy static: some CPU must be kept for the system',
      'say which, for example --reserved-cpus 0, or how many: --system-reserved cpu=1',
    );
  return new CpuManager({ cores, reserved }, join(dataDir, 'cpus.json'), onProblem);
}

/** What the pod worker asks of the image store. The store is a directory shared with `keelson image …` (no daemon). */

/** The parts of an OCI image config that a container is made of (image-spec config.md). */
export interface ImageConfig {
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly stopSignal?: string;
  readonly volumes: readonly string[];
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface Image {
  /** Digest of the config, `sha256:…`: the imageID. */
  readonly id: string;
  /** Normalised references, e.g. `docker.io/library/nginx:1.25`, `localhost/bb:1`. */
  readonly references: readonly string[];
  readonly config: ImageConfig;
  /** Absolute directories of unpacked layers, lowest first. */
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

export interface ImageStore {
  /** The image a reference (tag, digest or id) names here, or undefined. Throws InvalidImageName for a malformed one. */
  find(reference: string): Promise<Image | undefined>;
  list(): Promise<Image[]>;
  /** OCI layout (directory or tar) or docker-archive; verified whole before anything is visible. `name` overrides the names inside. */
  import(
    path: string,
    options: { readonly name?: string; readonly onProgress?: (line: string) => void },
  ): Promise<Image[]>;
  /** Removes a reference, and the content that nothing uses any more. */
  remove(reference: string): Promise<{ readonly untagged: string; readonly freedBytes: number }>;
}

/** A reference that is not one: becomes the waiting reason InvalidImageName. */
export class InvalidImageName extends Error {
  override name = 'InvalidImageName';
}

/** An image's files as a volume (core/v1 ImageVolumeSource): read-only, one layer bound, several laid over each other. */
import { writeFiles } from '../../native/index.js';
import { VolumeError, type VolumeKind } from './contract.js';

export const imageVolume: VolumeKind = {
  serves: volume => volume.image !== undefined,
  prepare: async ({ name, image: wanted = {} }, { directory, image: find }) => {
    const { reference = '', pullPolicy } = wanted;
    const image = await find?.(reference);
    if (!image) throw new VolumeError(missing(name, reference, pullPolicy));
    const [only, ...more] = image.layers;
    if (only !== undefined && more.length === 0) return { source: only, readOnly: true };
    const options = `lowerdir=${[...image.layers].reverse().join(':')}`;
    await writeFiles([{ op: 'mount', path: directory, type: 'overlay', options }]);
    return { source: directory, readOnly: true };
  },
};

const missing = (volume: string, reference: string, pullPolicy: string | undefined): string =>
  pullPolicy === 'Never'
    ? `volume "${volume}": image "${reference}" is not present with pull policy of Never`
    : `volume "${volume}": image "${reference}" is not on this node; bring it with: keelson image import FILE --name ${reference}`;

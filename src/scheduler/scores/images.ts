/** Images that a node has need not be pulled: the larger, the better. One that few nodes have counts less, against crowding. */
import { best, type Score } from './contract.js';

const mebibyte = 1024 * 1024;
const leastBytes = 23 * mebibyte;
const mostBytes = 1000 * mebibyte;

export const imageLocality: Score = {
  name: 'ImageLocality',
  rate: ({ images }, nodes, cluster) => {
    const names = images.map(withTag).filter(name => cluster.imageNodes.has(name));
    if (names.length === 0) return undefined;
    const total = cluster.nodes.length;
    const enough = mostBytes * images.length;
    return nodes.map(({ node }) => {
      const sizes = new Map(
        (node.status?.images ?? []).flatMap(image => image.names.map(name => [name, image.sizeBytes ?? 0] as const)),
      );
      const bytes = names.reduce(
        (sum, name) => sum + Math.trunc(((sizes.get(name) ?? 0) * (cluster.imageNodes.get(name)?.size ?? 0)) / total),
        0,
      );
      const bounded = Math.min(Math.max(bytes, leastBytes), enough);
      return Math.trunc((best * (bounded - leastBytes)) / (enough - leastBytes));
    });
  },
};

function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}

// Where the machines of the lab's Ethernet are, and how one runs a command in another.
import { connect } from 'node:net';

export const commandPort = 7700;

/** On the cluster's Ethernet. */
export const addressOf = node => `192.168.77.${node}`;

/** On eth1, which is there for this alone; made by the kernel of the MAC that QEMU was told. */
export const controlAddress = node => `fe80::5054:ff:fe77:10${node}%eth1`;

/**
 * @param {number} node
 * @param {string} script of bash
 * @param {(text: string) => void} [onOutput] as it comes
 * @returns {Promise<{ code: string, output: string }>} exit code or signal; standard output and error in the order they came
 */
export async function runOn(node, script, onOutput) {
  const socket = await reach(node);
  socket.setEncoding('utf8').write(`${Buffer.from(script).toString('base64')}\n`);
  let output = '';
  for await (const part of socket) {
    output += part;
    onOutput?.(part);
  }
  const [, rest, code] = /^([\s\S]*)\nexit (\S+)\n$/.exec(output) ?? [];
  if (code === undefined) throw new Error(`machine ${node} broke off: ${script}\n${output}`);
  return { code, output: rest };
}

const reachMs = 120_000;

/** It may be booting still. */
async function reach(node) {
  for (const until = Date.now() + reachMs; ; await new Promise(wait => setTimeout(wait, 200)))
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect(commandPort, controlAddress(node), () => resolve(socket)).on('error', reject);
      });
    } catch (error) {
      if (Date.now() > until) throw new Error(`machine ${node} cannot be reached: ${error.message}`);
    }
}

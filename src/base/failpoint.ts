/**
 * Named points where a test can make this process crash, fail or pause, to prove that every step can be interrupted
 * (reliability rule A18). Switched on from outside only: `KEELSON_FAILPOINTS=name=crash,other=error,third=delay:200`;
 * `crash:3` waits for the third pass,
 * `error:3` fails three times. Unset, a point costs one map look-up.
 */
type Effect =
  | { readonly do: 'crash'; readonly pass: number }
  | { readonly do: 'error'; readonly times: number }
  | { readonly do: 'delay'; readonly ms: number };

export const failpointsVariable = 'KEELSON_FAILPOINTS';

const points = parseFailpoints(process.env[failpointsVariable] ?? '');
const passes = new Map<string, number>();

/** Parses `name=crash[:PASS]|error[:TIMES]|delay:MS[,…]`; unknown effects throw, so that a misspelt test does not pass silently. */
export function parseFailpoints(text: string): ReadonlyMap<string, Effect> {
  const found = new Map<string, Effect>();
  for (const item of text.split(',').filter(Boolean)) {
    const [name = '', effect = ''] = item.split('=');
    const [verb, value] = effect.split(':');
    if (verb === 'crash') found.set(name, { do: 'crash', pass: Number(value ?? 1) });
    else if (verb === 'error') found.set(name, { do: 'error', times: Number(value ?? Number.POSITIVE_INFINITY) });
    else if (verb === 'delay') found.set(name, { do: 'delay', ms: Number(value ?? 100) });
    else
      throw new Error(
        `KEELSON_FAILPOINTS: unknown effect "${effect}" of "${name}"; allowed: crash[:PASS], error[:TIMES], delay:MS`,
      );
  }
  return found;
}

/** Marks a step's edge. With no effect set it returns at once. */
export async function failpoint(name: string): Promise<void> {
  const effect = points.get(name);
  if (effect) await strike(name, effect);
}

async function strike(name: string, effect: Effect): Promise<void> {
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  switch (effect.do) {
    case 'crash':
      if (pass !== effect.pass) return;
      process.stderr.write(`failpoint ${name}: crash\n`);
      // SIGKILL to oneself: no exit handler runs, as in a real crash
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
      return;
    case 'error':
      if (pass > effect.times) return;
      throw new Error(`failpoint ${name}: injected error`);
    case 'delay':
      await new Promise(resolve => setTimeout(resolve, effect.ms));
      return;
  }
}

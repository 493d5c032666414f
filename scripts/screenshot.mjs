// Takes docs/dashboard.png from a cluster that runs the examples: node scripts/screenshot.mjs PORT TOKEN
import { chromium } from 'playwright-core';

const [port, token] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
});
const page = await browser.newPage({
  ignoreHTTPSErrors: true,
  viewport: { width: 1180, height: 900 },
  colorScheme: 'light',
});
await page.goto(`https://127.0.0.1:${port}/dashboard/`);
await page.fill('input[name=token]', token);
await page.click('button');
await page.waitForSelector('[data-pod]');
// two minutes of history make a chart
await page.waitForTimeout(Number(process.env.WAIT_MS ?? 60_000));
await page.screenshot({ path: 'docs/dashboard.png' });
await browser.close();

import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openServedPage, POISON, type ServedPage } from './open-page.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screenshot = join(import.meta.dirname, '../../docs/images/page.png');

let browser: Browser;
let served: ServedPage;
beforeAll(async () => {
  // The sandbox of Chromium needs rights that a container does not give; the pages are our own.
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM!,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  served = await openServedPage();
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

const WIDE = { width: 1440, height: 1000 };
const NARROW = { width: 390, height: 844 };

/** Opens the page; what the browser complains of is gathered. */
async function open(options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  await page.goto(served.url);
  return { page, complaints, close: () => context.close() };
}

/** Presses Tab until the element has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, name: string) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const text = await page.evaluate('document.activeElement.textContent || document.activeElement.id');
    if (text === name) return;
  }
  throw new Error(`No Tab leads to ${name}.`);
}

const seen = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor({ timeout: 60_000 });

describe('the page in a browser', () => {
  test('shows the numbers move while a run embeds, and says what failed', async () => {
    await served.succeed('sql', `UPDATE articles SET title = title || ' ${POISON}' WHERE id IN (7, 9)`);
    served.service.callMs = 400;
    const { page, complaints, close } = await open();
    const figures = new Set<string>();
    let isEnded = false;
    const run = served.cli('run').finally(() => {
      isEnded = true;
    });
    while (!isEnded) {
      figures.add((await page.locator('#coverage .figure').allTextContents()).join());
      await page.waitForTimeout(100);
    }
    await run;
    served.service.callMs = 0;
    await seen(page, '99.16 % covered');
    await seen(page, 'articles · slow: 2 rows, item invalid_text');
    await seen(page, /^\$0\.00\d\d of \$1\.0000 today$/);
    await seen(page, /^(No request|\d+ requests? answered, \d+ refused) in the last minute\.$/);

    const between = [...figures].map(Number.parseFloat).filter(percent => percent > 0 && percent < 99);
    expect(between.length).toBeGreaterThanOrEqual(2);
    expect(await page.locator('#live').textContent()).toMatch(/^Live/);
    expect(await page.content()).not.toMatch(/secret story/);
    expect(complaints).toEqual([]);
    await close();
  });

  test('finds nothing that axe objects to, and never scrolls sideways', async () => {
    await served.succeed('pause', '--source', 'articles', '--reason', 'maintenance');
    for (const viewport of [NARROW, WIDE])
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, close } = await open({ viewport, colorScheme });
        await seen(page, /^Live/);
        await page.getByLabel('Words or a sentence').fill('secret story 3');
        await page.keyboard.press('Enter');
        await seen(page, /hits by meaning/);
        await seen(page, /0 texts wait with 0 tokens/);
        await page.addScriptTag({ content: axe }).catch(() => page.evaluate(axe));
        const { violations } = (await page.evaluate('axe.run()')) as {
          violations: { id: string; nodes: { html: string }[] }[];
        };
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');

        expect(
          violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
          `${viewport.width} ${colorScheme}`,
        ).toEqual([]);
        expect(overflow).toBeLessThanOrEqual(0);
        if (viewport === WIDE && colorScheme === 'light' && process.env.UPDATE_DOCS === '1') {
          mkdirSync(join(screenshot, '..'), { recursive: true });
          await page.screenshot({ path: screenshot, fullPage: true });
        }
        await close();
      }
  });

  test('resumes a paused source, retries a failure and searches, by the keyboard alone', async () => {
    served.service.isRefusing = false;
    const { page, complaints, close } = await open();

    await tabTo(page, 'Resume source:articles');
    await page.keyboard.press('Enter');
    await seen(page, 'Resumed source:articles.');
    await seen(page, 'Nothing is paused.');
    await tabTo(page, 'Retry invalid_text of articles');
    await page.keyboard.press('Enter');
    await seen(page, /^2 rows are stale again/);
    await seen(page, 'No row failed.');
    await served.succeed('run');
    await seen(page, '100.00 % covered');
    await tabTo(page, 'query');
    await page.keyboard.type('secret story 12');
    await page.keyboard.press('Enter');
    await seen(page, /Source articles, model slow, 10 hits/);
    const first = page.locator('#hits li').first();
    const withoutTexts = await first.textContent();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#hits dd').first().waitFor();

    expect(withoutTexts).toMatch(/^12 1\.000/);
    expect(await first.textContent()).toMatch(/secret story 12/);
    expect(complaints).toEqual([]);
    await close();
  });

  test('keeps the number of the tenth hit within the margin of its list', async () => {
    const { page, close } = await open({ viewport: NARROW });

    // The place of a number cannot be asked for: its width in the same font can.
    const { numberWidth, margin } = await page.evaluate<{ numberWidth: number; margin: number }>(`(() => {
      const list = document.createElement('ol');
      list.innerHTML = '<li><span style="white-space: pre">10. </span></li>';
      document.getElementById('hits').append(list);
      const numberWidth = list.querySelector('span').getBoundingClientRect().width;
      return { numberWidth, margin: Number.parseFloat(getComputedStyle(list).paddingLeft) };
    })()`);

    expect(numberWidth).toBeGreaterThan(0);
    expect(margin).toBeGreaterThanOrEqual(numberWidth);
    await close();
  });

  test('is readable without script, which leaves no button that does nothing', async () => {
    const { page, close } = await open({ javaScriptEnabled: false });

    const text = await page.locator('body').innerText();
    const buttons = await page.locator('button:visible').count();

    expect(text).toMatch(/100\.00 % covered/);
    expect(text).toMatch(/240 eligible = 240 fresh \+ 0 excluded/);
    expect(buttons).toBe(0);
    await close();
  });
});

describe('the page refuses', () => {
  test('a page of another origin that posts, whatever it posts', async () => {
    const server = createServer((_, response) => response.end('<!doctype html><title>other</title>'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const context = await browser.newContext();
    const page = await context.newPage();
    const statuses: number[] = [];
    page.on('response', response => {
      if (response.url().startsWith(served.url)) statuses.push(response.status());
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const send = (address: string, init: object) =>
      page.evaluate(
        `fetch(${JSON.stringify(served.url + address)}, ${JSON.stringify(init)}).catch(() => undefined).then(() => undefined)`,
      );

    await send('/page/pause', { method: 'POST', mode: 'no-cors', body: '{"scope":"pipeline"}' });
    await send('/page/events', { mode: 'no-cors' });
    await page.setContent(
      `<form method="post" action="${served.url}/page/logout"><button>go</button></form>`,
    );
    await page.getByText('go').click();
    await page.waitForLoadState();

    expect(statuses).toEqual([403, 403, 403]);
    await context.close();
    server.close();
  });

  test('a host name that was rebound to this machine', async () => {
    const status = await new Promise(resolve => {
      const sent = request(served.url, { headers: { host: 'attacker.example' } }, response => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.end();
    });

    expect(status).toBe(403);
  });
});

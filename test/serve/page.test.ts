import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { createTokenCheck } from '../../lib/adapters/api/verify-tokens.ts';
import { createSystemClock } from '../../lib/adapters/system.ts';
import { FreshetError, UsageError } from '../../lib/core/errors.ts';
import type { ModelFlow } from '../../lib/core/model-flow.ts';
import type { AskOperator, ReportedSpace, StatusAnswer } from '../../lib/ports/operator.ts';
import type { RowsOperator } from '../../lib/ports/rows-operator.ts';
import type { SearchAnswer, SearchService } from '../../lib/ports/search.ts';
import { createHeldProvider, openApi, settled } from './open-api.ts';

const SPACE: ReportedSpace = {
  ...{ source: 'articles', model: 'small', eligible: 200, fresh: 150, stale: 40, inFlight: 5, failed: 3 },
  ...{ excluded: 2, coveragePercent: 75.75, lastUpdate: null, oldestStaleAgeSeconds: 61, rowsPerSecond: 9 },
};
const LEDGER = {
  ...{ providerCalls: 3, tokens: 4000, costUsd: 0.25, paidAndLostCalls: 1, paidAndLostCostUsd: 0.01 },
  ...{ necessaryUsd: 0.24 },
  lastUpdate: '2026-01-01 00:00:00+00',
};
const QUERIES = { providerCalls: 1200, tokens: 9000, costUsd: 0.75, costUsdToday: 0.125 };
const CANARY = 'heliotrope';
const FLOW: ModelFlow = {
  model: 'small',
  limits: { requestsPerMinute: null, tokensPerMinute: 6_000 },
  used: { requests: 4, tokens: 1_500 },
  ...{ share: 0.7, throttledAt: '2026-01-03', waitSeconds: 12, isEditFirst: false, calls: 2, callsAtOnce: 8 },
  queues: [
    { lane: 'fresh', waiting: 1, announced: 0, batched: 0, oldestSeconds: 3 },
    { lane: 'bulk', waiting: 40, announced: 8, batched: 500, oldestSeconds: 60 },
  ],
  batches: { open: 2, texts: 900, collected: 30, oldestSeconds: 7200, heldBy: null },
};
const FOUND: SearchAnswer = {
  source: 'articles',
  model: { alias: 'small', model_id: 'm', revision: 'r1', dimensions: 4, space: 1 },
  hits: [
    {
      ...{ id: '<i>9</i>', score: 0.5, rank: 1, scores: { semantic: 0.5, keyword: null, rerank: null } },
      columns: { title: `<script>${CANARY}</script>` },
    },
  ],
  ...{ exact: true, coverage_percent: 98.5, stale: 3, coverage_at: '2026-01-01', without_keywords: null },
  ...{ keyword: null, degraded: [], next: null, took_ms: 1 },
};

/** An operator of rows that answers from memory, and remembers what it was asked to change. */
function createRows(status: Partial<StatusAnswer> = {}) {
  const asked: unknown[] = [];
  const answers: Record<string, object> = {
    status: {
      spaces: [SPACE],
      unread: [],
      paused: [],
      ledger: LEDGER,
      queries: QUERIES,
      budget: [],
      flows: [],
      ...status,
    },
    failures: {
      failures: [
        {
          ...{ source: 'articles', model: 'small', failureClass: 'item', code: 'invalid_text', rows: 3 },
          ...{ exampleIds: ['7', '<b>8</b>'], lastAt: null },
        },
      ],
    },
    pause: { changed: true, paused: [] },
    resume: { changed: true, paused: [] },
  };
  const batches = [
    { rows: 10_000, more: true },
    { rows: 5, more: false },
  ];
  const rows: RowsOperator = {
    ask: (async (name: string, details: object) => {
      if (name !== 'status' && name !== 'failures') asked.push([name, details]);
      return name === 'retry' ? batches.shift() : answers[name];
    }) as AskOperator,
    nudge: async () => ({ runs: 1 }),
  };
  const search: SearchService = {
    search: async (request, caller) => {
      if (request.source === 'broken') throw new UsageError('There is no such table.', 'freshet doctor');
      asked.push([request, caller]);
      return { ...FOUND, source: request.source };
    },
    explain: async () => {
      throw new Error('Nobody asks for it here.');
    },
  };
  return { rows, asked, search };
}

const own = { 'sec-fetch-site': 'same-origin' };

/** Opens the page's events; each read resolves with the panels that changed. */
async function openEvents(app: Awaited<ReturnType<typeof openApi>>['app']) {
  const left = new AbortController();
  const response = await app.request('http://localhost/page/events', { signal: left.signal });
  const reader = response.body!.getReader();
  const readPanels = async () => {
    const text = new TextDecoder().decode((await reader.read()).value);
    return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? 'null') as Record<string, string>;
  };
  const leave = async () => {
    await reader.cancel();
    left.abort();
  };
  return { readPanels, leave };
}

/** What of a page is read, without its marks. */
function readWords(html: string): string {
  return html
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll('&middot;', '·')
    .replaceAll(/\s+/g, ' ');
}

describe('the page', () => {
  test('shows coverage, pauses, failures with what to do, and money, and fits into 60 KB', async () => {
    const paused = [
      { scope: 'source:articles', reason: 'operator', detail: 'maintenance', since: '2026-01-01' },
      { scope: 'model:small', reason: 'provider:quota', detail: '', since: '2026-01-02' },
    ];
    const budget = [
      {
        ...({ scope: 'pipeline', period: 'day', spentUsd: 0.2, capUsd: 1, percent: 20 } as const),
        endsAt: '2026-01-03T00:00:00Z',
      },
      {
        ...({ scope: 'source:articles', period: 'month', spentUsd: 3, capUsd: 2, percent: 150 } as const),
        endsAt: '2026-02-01T00:00:00Z',
      },
    ] as const;
    const { send } = openApi(createRows({ paused, budget, flows: [FLOW] }));

    const { status, text, headers } = await send('/');
    const shown = readWords(text);
    const files = await Promise.all(['page.css', 'page.js', 'icon.svg'].map(file => send(`/page/${file}`)));

    expect(status).toBe(200);
    expect(shown).toContain('75.75 % covered');
    expect(shown).toContain('200 eligible = 150 fresh + 2 excluded + 3 failed + 5 in flight + 40 stale');
    expect(shown).toContain('At that rate the rest takes 5.0 s.');
    expect(shown).toContain('npm run freshet -- resume --source articles');
    expect(shown).toContain('model:small since 2026-01-02: provider:quota. It ends by what set it.');
    expect(shown).toContain('articles · small: 3 rows, item invalid_text');
    expect(shown).toMatch(/To do: .*retry/);
    expect(shown).toContain('$0.2500 so far');
    expect(shown).toContain('$0.2400 of $0.2600 paid was necessary.');
    expect(shown).toContain('$0.2000 of $1.0000 today by pipeline, 20 % The day ends 2026-01-03 00:00 UTC.');
    expect(shown).toContain(
      'by source:articles, 150 % The cap is reached. The month ends 2026-02-01 00:00 UTC.',
    );
    expect(text).toMatch(/<meter min="0" max="2" value="2"/);
    expect(shown).toContain('$0.7500 for searches and clients, $0.1250 today 1,200 calls, 9,000 tokens.');
    expect(shown).toContain('small · fresh: 1 row waits; the oldest for 3.0 s.');
    expect(shown).toContain('small · bulk: 40 rows wait, 8 to be written, 500 in the batch lane;');
    expect(shown).toContain(
      '4 requests and 1,500 of 6,000 tokens in the last minute; 2 of 8 calls under way;',
    );
    expect(shown).toContain(
      'throttled at 2026-01-03, now at 70 % of the limit; the provider asks to wait 12.0 s.',
    );
    expect(text).toMatch(/<meter min="0" max="6000" value="1500"/);
    expect(shown).toContain('2 open batches with 900 texts, the oldest for 2 h 0 min; 30 texts wait');
    expect(shown).toContain('Paid and lost: 1 calls, about $0.0100.');
    expect(text).not.toContain('<b>8');
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'self'; (?!.*unsafe)/);
    expect(text).not.toMatch(/ (style|on\w+)="|<style|https?:\/\//);
    expect(files.map(file => file.status)).toEqual([200, 200, 200]);
    const bytes = [text, ...files.map(file => file.text)].reduce((sum, part) => sum + part.length, 0);
    expect(bytes).toBeLessThan(60_000);
  });

  test.each([
    [
      new UsageError('There is no embedded database yet.', 'npm start'),
      /no embedded database yet\..*npm start/,
    ],
    [
      new FreshetError('The database is away.', { failureClass: 'transient', code: 'sqlstate_57P01' }),
      /The database is away\. \(sqlstate_57P01\) /,
    ],
    [new Error(`duplicate value ${CANARY}`), /The rows cannot be read now/],
  ])('says why the rows cannot be read, and no word that may be of a row: %s', async (error, told) => {
    const ask = async () => {
      throw error;
    };
    const { send } = openApi({ rows: { ...createRows().rows, ask } });

    const { status, text } = await send('/');

    expect(status).toBe(200);
    expect(text.replaceAll(/<[^>]+>|\s+/g, ' ')).toMatch(told);
    expect(text).not.toContain(CANARY);
  });

  test('shows the service’s own queue, as /metrics does, also where the rows cannot be read', async () => {
    let nowMs = Date.now();
    const clock = { ...createSystemClock(), now: () => nowMs };
    const held = createHeldProvider();
    const ask = async () => {
      throw new Error('away');
    };
    const { send, post } = openApi({
      ...{ rows: { ...createRows().rows, ask }, provider: held.provider, clock },
      bounds: { queueTokens: 1 },
    });
    const read = async () => readWords((await send('/')).text);
    const embed = (...texts: string[]) => post('/v1/embed', { model: 'small', texts });
    const before = await read();
    const warm = embed('z');
    await held.release();
    await warm;
    const first = embed('a', 'b');
    await settled();
    const second = embed('c');
    await settled();
    const refused = await embed('d');
    const busy = await read();
    const { text: metrics } = await send('/metrics');
    await held.release();
    await held.release();
    await Promise.all([first, second]);
    const after = await read();
    nowMs += 61_000;

    expect(before).toContain('No request in the last minute.');
    expect(refused.status).toBe(429);
    expect(busy).toMatch(/1 request answered, 1 refused in the last minute\./);
    expect(busy).toMatch(/small: 1 text waits with \d+ tokens, 1 call under way\./);
    expect(metrics).toContain('embed_calls_in_flight{model="small"} 1');
    expect(metrics).toContain('embed_last_minute_refused 1');
    expect(after).toMatch(/95 of 100 requests within \d+ ms 3 requests answered, 1 refused/);
    expect(after).toContain('small: 0 texts wait with 0 tokens, 0 calls under way.');
    expect(await read()).toContain('No request in the last minute.');
  });

  test('names a source whose rows cannot be read beside those that can', async () => {
    const { send } = openApi(createRows({ unread: ['broken_view'] }));

    const { text } = await send('/');
    const shown = readWords(text);

    expect(shown).toContain('75.75 % covered');
    expect(shown).toMatch(/broken_view Its rows cannot be read\. To see why: .*doctor/);
  });

  test('pauses, resumes, and retries until no batch is left', async () => {
    const { rows, asked } = createRows();
    const { post } = openApi({ rows });

    const answers = [
      await post('/page/pause', { scope: 'source:articles' }, { headers: own }),
      await post('/page/resume', { scope: 'source:articles' }, { headers: own }),
      await post('/page/retry', { source: 'articles', cause: 'invalid_text' }, { headers: own }),
    ];

    expect(answers.map(({ json }) => json.message)).toEqual([
      'Paused source:articles.',
      'Resumed source:articles.',
      '10005 rows are stale again: the next run embeds what it can.',
    ]);
    const retry = ['retry', { source: 'articles', cause: 'invalid_text', limit: 10_000 }];
    expect(asked).toEqual([
      ['pause', { scope: 'source:articles', detail: '' }],
      ['resume', { scope: 'source:articles' }],
      retry,
      retry,
    ]);
  });

  test('shows the texts of rows only where somebody asked for them, and escapes them', async () => {
    const { asked, ...rows } = createRows();
    const { post } = openApi({ ...rows, sources: ['articles', 'broken'] });

    const plain = await post('/page/search', { text: 'dog' }, { headers: own });
    const full = await post('/page/search', { text: 'dog', texts: true }, { headers: own });
    const wrong = await post('/page/search', { text: 'dog', source: 'broken' }, { headers: own });

    expect(plain.text).toContain('Source articles, model small, 1 hits by meaning (exact).');
    expect(plain.text).toContain('It covers 98.50 % of the rows; 3 are stale.');
    expect(asked[0]).toEqual([
      { source: 'articles', query: 'dog', limit: 10, mode: 'semantic' },
      { kind: 'operator' },
    ]);
    expect(plain.text).not.toContain(CANARY);
    expect(full.text).toContain(`&lt;script&gt;${CANARY}`);
    expect(full.text).toContain('&lt;i&gt;9');
    expect([wrong.status, wrong.json.error.message]).toEqual([400, 'There is no such table. freshet doctor']);
  });

  test('sends what changed, and nothing that stayed as it was', async () => {
    const { rows } = createRows();
    let fresh = 150;
    const ask = (async (name: string, details: object) => {
      const answer = await rows.ask(name as 'status', details);
      return name === 'status' ? { ...answer, spaces: [{ ...SPACE, fresh }] } : answer;
    }) as AskOperator;
    const { app, post } = openApi({ rows: { ...rows, ask } });
    const { readPanels, leave } = await openEvents(app);

    const first = await readPanels();
    fresh = 151;
    await post('/page/pause', { scope: 'source:articles' }, { headers: own });
    const second = await readPanels();
    await leave();

    expect(Object.keys(first)).toEqual([
      ...['coverage', 'queues', 'pauses', 'failures', 'limits', 'batches', 'money', 'service', 'models'],
    ]);
    expect(Object.keys(second)).toEqual(['coverage']);
    expect(second.coverage).toContain('151 fresh');
  });

  test('sends what the service does while the rows are still being read', async () => {
    const { rows } = createRows();
    let isHeld = false;
    const ask = ((name: string, details: object) =>
      isHeld ? new Promise(() => undefined) : rows.ask(name as 'status', details)) as AskOperator;
    const { app, post } = openApi({ rows: { ...rows, ask } });
    const { readPanels, leave } = await openEvents(app);

    await readPanels();
    isHeld = true;
    await post('/v1/embed', { model: 'small', texts: ['a'] });
    const second = await readPanels();
    await leave();

    expect(Object.keys(second)).toEqual(['service']);
    expect(second.service).toContain('1 request answered');
  });

  test('is not there where the service has no rows to show', async () => {
    const { send } = openApi();

    expect((await send('/')).status).toBe(404);
    expect((await send('/page/page.js')).status).toBe(404);
  });
});

describe('the page refuses with 403', () => {
  test.each([
    ['a post of a page of another site', '/page/pause', 'POST', { 'sec-fetch-site': 'cross-site' }],
    ['a post of another port', '/page/resume', 'POST', { 'sec-fetch-site': 'same-site' }],
    ['a form of another site', '/page/login', 'POST', { origin: 'https://attacker.example' }],
    ['a form of a hidden origin', '/page/logout', 'POST', { origin: 'null' }],
    ['the numbers to a page of another site', '/page/events', 'GET', { 'sec-fetch-site': 'cross-site' }],
    ['a rebound host', '/', 'GET', { host: 'attacker.example' }],
    ['a rebound host that posts', '/page/retry', 'POST', { host: 'attacker.example', ...own }],
  ])('%s', async (_, address, method, headers) => {
    const { rows, asked } = createRows();
    const { send } = openApi({ rows });
    const body = method === 'POST' ? { body: '{"scope":"pipeline"}' } : {};

    // The content type that a browser sends without asking first.
    const answer = await send(address, {
      method,
      ...body,
      headers: { 'content-type': 'text/plain', ...(headers as Record<string, string>) },
    });

    expect(answer.status).toBe(403);
    expect(asked).toEqual([]);
  });

  test('but not a person who follows a link from elsewhere', async () => {
    const { send } = openApi(createRows());

    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };

    expect((await send('/', { headers })).status).toBe(200);
  });
});

describe('the page behind tokens', () => {
  const secret = 'a shared secret of at least thirty-two bytes';
  const issuer = 'https://login.example.com/';
  const sign = (claims: object, endsInSeconds = 600) =>
    new SignJWT({
      ...{ iss: issuer, aud: 'page', exp: Math.floor(Date.now() / 1000) + endsInSeconds },
      ...claims,
    })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret));
  const open = async () => {
    const { rows, asked } = createRows();
    const verifyToken = await createTokenCheck(
      { issuer, audience: 'page', secret: { env: 'SECRET' } },
      { SECRET: secret },
    );
    return { asked, ...openApi({ rows, verifyToken }) };
  };
  const form = (token: string) => ({
    method: 'POST',
    body: new URLSearchParams({ token }).toString(),
    headers: {
      ...own,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(token.length + 6),
    },
  });

  test('opens for the scope admin by a cookie that no script reads and no other site sends', async () => {
    const { send } = await open();

    const closed = await send('/');
    const login = await send('/page/login', form(await sign({ scope: 'search admin' })));
    const cookie = login.headers.get('set-cookie') ?? '';
    const opened = await send('/', { headers: { cookie: cookie.split(';')[0]! } });

    expect(closed.status).toBe(401);
    expect(closed.text).toContain('<form method="post" action="/page/login">');
    expect(closed.headers.get('www-authenticate')).toBe('Bearer');
    expect(closed.text).not.toContain('covered');
    expect([login.status, login.headers.get('location')]).toEqual([303, '/']);
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(opened.status).toBe(200);
    expect(opened.text).toContain('75.75 % covered');
  });

  test('opens for the scope admin in the header too, where no cookie says whose visit it is', async () => {
    const { send, post, asked } = await open();
    const [admin, tenant] = [await sign({ scope: 'admin' }), await sign({ tenant: 'a', scope: 'admin' })];
    const bearer = { authorization: `Bearer ${admin}` };
    const visitor = { cookie: `freshet_page=${tenant}` };

    const opened = await send('/', { headers: bearer });
    const resumed = await post('/page/resume', { scope: 'pipeline' }, { headers: { ...own, ...bearer } });
    const foreign = { ...bearer, 'sec-fetch-site': 'cross-site' };
    const refused = await post('/page/resume', { scope: 'pipeline' }, { headers: foreign });
    const visit = await send('/', { headers: { ...bearer, ...visitor } });
    const basic = await send('/', { headers: { authorization: 'Basic YTpi' } });

    expect([opened, resumed, refused, visit, basic].map(({ status }) => status)).toEqual([
      200, 200, 403, 403, 401,
    ]);
    expect(opened.text).toContain('75.75 % covered');
    expect(opened.text).not.toContain('/page/logout');
    expect(asked).toEqual([['resume', { scope: 'pipeline' }]]);
  });

  test.each([
    ['of a tenant', { tenant: 'a', scope: 'admin' }],
    ['without the scope', { scope: 'search' }],
  ])('asks for a token where a server in front adds one %s', async (_, claims) => {
    const { send } = await open();
    const bearer = { authorization: `Bearer ${await sign(claims)}` };

    const closed = await send('/', { headers: bearer });
    const login = form(await sign({ scope: 'admin' }));
    const loggedIn = await send('/page/login', { ...login, headers: { ...login.headers, ...bearer } });
    const cookie = loggedIn.headers.get('set-cookie')!.split(';')[0]!;
    const opened = await send('/', { headers: { ...bearer, cookie } });

    expect(closed.status).toBe(403);
    expect(closed.text).toContain('<form method="post" action="/page/login">');
    expect(closed.text).toContain('The page is for tokens with the scope admin and without a tenant.');
    expect([loggedIn.status, opened.status]).toEqual([303, 200]);
  });

  test.each([
    ['of a tenant', { tenant: 'a', scope: 'search' }, 600, 403],
    ['of a tenant that claims the scope admin', { tenant: 'a', scope: 'admin' }, 600, 403],
    ['without the scope', { scope: 'search administrator' }, 600, 403],
    ['that is over', { scope: 'admin' }, -600, 401],
    ['of another audience', { scope: 'admin', aud: 'other' }, 600, 401],
  ])('never opens for a token %s, by login, cookie, header or stream', async (_, claims, seconds, status) => {
    const { send, post, asked } = await open();
    const token = await sign(claims, seconds);
    const cookie = { cookie: `freshet_page=${token}` };

    const login = await send('/page/login', form(token));
    const page = await send('/', { headers: cookie });
    const events = await send('/page/events', { headers: cookie });
    const resumed = await post('/page/resume', { scope: 'pipeline' }, { headers: { ...own, ...cookie } });
    const bearer = { authorization: `Bearer ${token}` };
    const byHeader = [await send('/', { headers: bearer }), await send('/page/events', { headers: bearer })];
    for (const action of ['pause', 'resume', 'retry', 'search'])
      byHeader.push(await post(`/page/${action}`, { scope: 'pipeline' }, { headers: { ...own, ...bearer } }));

    expect([login, page, events, resumed].map(answer => answer.status)).toEqual(Array(4).fill(status));
    expect(byHeader.map(answer => answer.status)).toEqual(Array(6).fill(status));
    expect(login.headers.get('set-cookie')).toBeNull();
    for (const { text } of [login, page, byHeader[0]!])
      expect(text).toContain('<form method="post" action="/page/login">');
    const asksFor = status === 401 ? 'Bearer' : null;
    for (const answer of [login, page, events, resumed, ...byHeader])
      expect(answer.headers.get('www-authenticate')).toBe(asksFor);
    expect(login.text + page.text + byHeader[0]!.text).not.toContain('covered');
    expect(asked).toEqual([]);
  });
});

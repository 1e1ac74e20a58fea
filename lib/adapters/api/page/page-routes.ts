import { readFileSync } from 'node:fs';
import type { Context, Hono } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { streamSSE } from 'hono/streaming';
import * as z from 'zod';
import { UsageError } from '../../../core/errors.ts';
import { ServiceRefusal } from '../../../core/service-refusal.ts';
import type { EmbeddingService, ServiceLoad } from '../../../ports/embedding-service.ts';
import type { Clock, Logger } from '../../../ports/process.ts';
import type { RowsOperator, RowsWatch } from '../../../ports/rows-operator.ts';
import type { SearchService } from '../../../ports/search.ts';
import { findOwnFile } from '../../own-files.ts';
import type { ApiPage } from '../create-app.ts';
import type { Routes } from '../find-route.ts';
import { readJson, requireJsonWrite, requireOwnOrigin } from '../guard-requests.ts';
import { readBody } from '../read-body.ts';
import { answerSearch } from '../search-answers.ts';
import type { VerifyToken } from '../verify-tokens.ts';
import { requireAdmin, SESSION_COOKIE } from './page-access.ts';
import { renderHits, renderLogin, renderPage } from './render-page.ts';
import { type Panels, renderPanels, renderService } from './render-panels.ts';

/** What the page shows, and by what it changes it. */
interface PagePorts {
  readonly rows: RowsOperator;
  readonly watch: RowsWatch;
  /** What also answers the searches of clients. */
  readonly search: SearchService;
  readonly logger: Logger;
  /** Names of the sources of the configuration; the first one is searched where none is named. */
  readonly sources: readonly string[];
}

interface PageSettings {
  readonly service: EmbeddingService;
  /** What the service has to do, as `/metrics` says it too. */
  readonly readLoad: (atMs: number) => ServiceLoad;
  readonly clock: Clock;
  readonly verifyToken: VerifyToken | undefined;
  readonly maxBodyBytes: number;
}

/** The files of the page, with their types. */
const FILES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
const FILE_NAMES = Object.keys(FILES) as (keyof typeof FILES)[];

/** The addresses of the page, with the method that each one takes. */
const PAGE_ROUTES: Routes = {
  '/': 'GET',
  ...Object.fromEntries(FILE_NAMES.map(name => [`/page/${name}`, 'GET'])),
  '/page/events': 'GET',
  '/page/login': 'POST',
  '/page/logout': 'POST',
  '/page/pause': 'POST',
  '/page/resume': 'POST',
  '/page/retry': 'POST',
  '/page/search': 'POST',
};

const HEADERS = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Rows that are made stale by one statement. */
const RETRY_BATCH = 10_000;
const HITS = 10;
/** Watchers at the same time. More of them would only hold connections that clients need. */
const MAX_FOLLOWERS = 50;
/** Without a change, a word is sent so often that a watcher who left is noticed. */
const HEARTBEAT_MS = 15_000;
/** What the service itself does is looked at so often. */
const SERVICE_EVERY_MS = 2000;

const name = z.string().min(1).max(512);
const scopeBody = z.strictObject({ scope: name });
const retryBody = z.strictObject({ source: name, cause: name });
const searchBody = z.strictObject({
  text: z.string().trim().min(1).max(2000),
  source: name.optional(),
  texts: z.boolean().default(false),
});

/**
 * Makes the page at `/` for the application of the service.
 * Everything on it is the own origin's. With tokens it is for the scope `admin` alone: the token
 * lies in a cookie that no script reads and no other site sends.
 */
export function createPage(ports: PagePorts, settings: PageSettings): ApiPage {
  return { routes: PAGE_ROUTES, mount: app => mountPage(app, ports, settings) };
}

function mountPage(app: Hono, ports: PagePorts, settings: PageSettings): void {
  const { rows, watch, sources } = ports;
  const { service, readLoad, clock, verifyToken, maxBodyBytes } = settings;
  const requireSession = (context: Context) => requireAdmin(verifyToken, readAuthorization(context));
  const readPanels = async () =>
    renderPanels(await watch.read(), { models: service.readiness(), load: readLoad(clock.now()) });

  for (const address of Object.keys(PAGE_ROUTES))
    app.use(address, async (context, next) => {
      // A person may come by a link from anywhere: that request only reads, and without the cookie.
      const isVisit = context.req.method !== 'POST' && context.req.header('sec-fetch-mode') === 'navigate';
      if (!isVisit) requireOwnOrigin(context.req.raw.headers);
      context.header('cache-control', 'no-store');
      for (const [header, value] of Object.entries(HEADERS)) context.header(header, value);
      await next();
    });
  for (const file of FILE_NAMES)
    app.get(`/page/${file}`, context =>
      context.body(readFileSync(findOwnFile(`assets/page/${file}`), 'utf8'), 200, {
        'content-type': FILES[file],
      }),
    );
  app.get('/', async context => {
    const hasSession = getCookie(context, SESSION_COOKIE) !== undefined;
    try {
      await requireSession(context);
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error;
      return answerLogin(context, error, hasSession ? 'The token is no longer accepted.' : '');
    }
    const panels = await readPanels();
    return context.html(renderPage({ panels, sources, hasSession }));
  });
  app.post('/page/login', async context => {
    const token = await readToken(context, maxBodyBytes);
    try {
      await requireAdmin(verifyToken, `Bearer ${token}`);
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error;
      return answerLogin(context, error, error.message);
    }
    const secure = context.req.header('x-forwarded-proto') === 'https';
    setCookie(context, SESSION_COOKIE, token, { httpOnly: true, sameSite: 'Strict', path: '/', secure });
    return context.redirect('/', 303);
  });
  app.post('/page/logout', context => {
    deleteCookie(context, SESSION_COOKIE, { path: '/' });
    return context.redirect('/', 303);
  });
  const readService = () => renderService(readLoad(clock.now()));
  mountEvents(app, { watch, clock, readPanels, readService, requireSession });

  const readRequest = async <Schema extends z.ZodObject>(context: Context, schema: Schema) => {
    await requireSession(context);
    requireJsonWrite(context.req.raw.headers);
    return readBody(schema, await readJson(context.req.raw, maxBodyBytes));
  };
  app.post('/page/pause', async context => {
    const { scope } = await readRequest(context, scopeBody);
    await obey(() => rows.ask('pause', { scope, detail: '' }));
    watch.changed();
    return context.json({ message: `Paused ${scope}.` });
  });
  app.post('/page/resume', async context => {
    const { scope } = await readRequest(context, scopeBody);
    await obey(() => rows.ask('resume', { scope }));
    watch.changed();
    return context.json({ message: `Resumed ${scope}.` });
  });
  app.post('/page/retry', async context => {
    const selection = await readRequest(context, retryBody);
    let count = 0;
    for (let more = true; more; ) {
      const retried = await obey(() => rows.ask('retry', { ...selection, limit: RETRY_BATCH }));
      count += retried.rows;
      more = retried.more;
    }
    watch.changed();
    const rowsAre = count === 1 ? '1 row is' : `${count} rows are`;
    return context.json({ message: `${rowsAre} stale again: the next run embeds what it can.` });
  });
  app.post('/page/search', async context => {
    const { text, source, texts } = await readRequest(context, searchBody);
    const request = { source: source ?? sources[0]!, query: text, limit: HITS, mode: 'semantic' } as const;
    const { signal } = context.req.raw;
    return context.html(renderHits(await answerSearch(ports, request, { kind: 'operator' }, signal), texts));
  });
}

/**
 * Answers the form of the login, to whatever token the page does not open for.
 * A server in front may add one to the requests of a person, who has no other way in than the form.
 * @param sentence what is said where the token is missing or refused
 */
function answerLogin(context: Context, { code, message }: ServiceRefusal, sentence: string) {
  if (code === 'forbidden') return context.html(renderLogin(message), 403);
  context.header('www-authenticate', 'Bearer');
  return context.html(renderLogin(sentence), 401);
}

interface EventPorts {
  readonly watch: RowsWatch;
  readonly clock: Clock;
  readonly readPanels: () => Promise<ReturnType<typeof renderPanels>>;
  /** The panel that is looked at without asking the rows, which may take long. */
  readonly readService: () => Panels['service'];
  readonly requireSession: (context: Context) => Promise<void>;
}

/** Adds the stream of what changes: its event `panels` has the panels that are others now. */
function mountEvents(app: Hono, ports: EventPorts): void {
  const { watch, clock, readPanels, readService, requireSession } = ports;
  let followers = 0;
  app.get('/page/events', async context => {
    await requireSession(context);
    if (followers >= MAX_FOLLOWERS)
      throw new ServiceRefusal('rate_limited', 'Too many look at the page now.', { retryAfterSeconds: 30 });
    followers += 1;
    return streamSSE(context, async stream => {
      const left = new AbortController();
      stream.onAbort(() => left.abort());
      const shown = new Map<string, string>();
      let sentAtMs = 0;
      const sendService = async () => {
        await clock.sleep(SERVICE_EVERY_MS, left.signal);
        if (!(await hasPassed(() => requireSession(context)))) return left.abort();
        const service = String(await readService());
        if (left.signal.aborted || shown.get('service') === service) return;
        shown.set('service', service);
        await stream.writeSSE({ event: 'panels', data: JSON.stringify({ service }) });
      };
      const sendServices = async () => {
        while (!left.signal.aborted) await sendService();
      };
      const sending = sendServices().catch(() => undefined);
      try {
        for await (const _ of watch.follow(left.signal)) {
          // A token ends while somebody looks.
          if (!(await hasPassed(() => requireSession(context)))) break;
          const changed: Record<string, string> = {};
          for (const [panel, markup] of Object.entries(await readPanels())) {
            const text = String(await markup);
            if (shown.get(panel) !== text) changed[panel] = text;
            shown.set(panel, text);
          }
          const isChanged = Object.keys(changed).length > 0;
          if (isChanged) await stream.writeSSE({ event: 'panels', data: JSON.stringify(changed) });
          else if (clock.now() - sentAtMs >= HEARTBEAT_MS) await stream.writeSSE({ event: 'same', data: '' });
          else continue;
          sentAtMs = clock.now();
        }
      } finally {
        left.abort();
        await sending;
        followers -= 1;
      }
    });
  });
}

async function hasPassed(check: () => Promise<void>): Promise<boolean> {
  return check().then(
    () => true,
    () => false,
  );
}

/**
 * Reads whose request it is: the cookie of who logged in, else the header of a program.
 * A server in front may put a token of its own into the header, which must not end a session.
 */
function readAuthorization(context: Context): string | undefined {
  const token = getCookie(context, SESSION_COOKIE);
  return token === undefined ? context.req.header('authorization') : `Bearer ${token}`;
}

/** Reads the token of the login's form. */
async function readToken(context: Context, maxBodyBytes: number): Promise<string> {
  const { req } = context;
  const isForm = /^application\/x-www-form-urlencoded *(;|$)/i.test(req.header('content-type') ?? '');
  if (!isForm) throw new ServiceRefusal('unsupported_media_type', 'Expected the form of the login.');
  const length = Number(req.header('content-length') ?? Number.NaN);
  if (!(length <= maxBodyBytes)) throw new ServiceRefusal('payload_too_large', 'The form is too long.');
  return new URLSearchParams(await req.text()).get('token')?.trim() ?? '';
}

/** Turns what the person can mend into a refusal with its sentence. */
async function obey<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { message, remedy } = error;
    throw new ServiceRefusal('invalid_request', remedy === undefined ? message : `${message} ${remedy}`);
  }
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startLoopbackOpenAiServer } from '../../test/doubles/loopback-openai-server.ts';
import type { Allowance, LimitedServerLog } from './limited-server.ts';

/**
 * Serves embeddings up to so many requests and tokens a window, by the clock of this process.
 * What is above is refused with 429, as a provider does that counts by windows which begin when it
 * likes. Argument: an `Allowance` as JSON. The script prints the two addresses of `LimitedServer`
 * as JSON: a POST to the second changes the limits, a GET reads the log.
 */
let allowance = JSON.parse(process.argv[2] ?? '{}') as Allowance;
const startedMs = performance.now() - Math.random() * 60_000;
const nowMs = () => performance.now() - startedMs;
const log: LimitedServerLog['calls'] = [];
let current = { window: -1, requests: 0, tokens: 0 };

const countTokens = (text: string) => Math.ceil(text.length / 4);

function admit(texts: readonly string[]): boolean {
  const { requestsPerMinute, tokensPerMinute, windowSeconds } = allowance;
  const atMs = nowMs();
  const window = Math.floor(atMs / (windowSeconds * 1000));
  if (window !== current.window) current = { window, requests: 0, tokens: 0 };
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  const share = windowSeconds / 60;
  const isAdmitted =
    current.requests + 1 <= requestsPerMinute * share && current.tokens + tokens <= tokensPerMinute * share;
  if (isAdmitted) {
    current.requests += 1;
    current.tokens += tokens;
  }
  log.push({ atMs, window, tokens, isAdmitted });
  return isAdmitted;
}

function nameLimits(): Readonly<Record<string, string>> {
  if (!allowance.namesLimits) return {};
  return {
    'x-ratelimit-limit-requests': String(allowance.requestsPerMinute),
    'x-ratelimit-limit-tokens': String(allowance.tokensPerMinute),
  };
}

const server = await startLoopbackOpenAiServer({
  dimensions: allowance.dimensions,
  latencyMs: 100,
  recordCalls: false,
  countTokens,
  headers: nameLimits,
  behave: ({ texts }) =>
    admit(texts)
      ? { kind: 'embed' }
      : {
          kind: 'status',
          status: 429,
          headers: { ...nameLimits(), 'retry-after': '1' },
          body: { error: { message: 'slow down', type: 'tokens', code: 'rate_limit_exceeded', param: null } },
        },
});
const control = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  if (body !== '') allowance = { ...allowance, ...(JSON.parse(body) as Partial<Allowance>) };
  const answer: LimitedServerLog = { nowMs: nowMs(), calls: log };
  response.end(JSON.stringify(answer));
});
control.listen(0, '127.0.0.1', () => {
  const { port } = control.address() as AddressInfo;
  const addresses = { baseUrl: server.baseUrl, controlUrl: `http://127.0.0.1:${port}` };
  process.stdout.write(`${JSON.stringify(addresses)}\n`);
});

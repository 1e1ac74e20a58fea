import { brotliCompressSync, gzipSync } from 'node:zlib';
import { type Answering, type Behaviour, EVERY, embed, PLAIN, POISON, send, sendJson } from './behaviour.ts';

const raw = (name: string, body: string, headers: Record<string, string> = {}, status = 200): Behaviour => ({
  name,
  protocols: EVERY,
  answer: ({ response }) => send(response, status, body, headers),
});

function wholeOf({ protocol, texts, body }: Answering): string {
  return JSON.stringify(protocol.compose(protocol.vectorsOf(texts), body));
}

function sendHalf(answering: Answering, then: () => void): void {
  const whole = wholeOf(answering);
  answering.response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
  answering.response.write(whole.slice(0, whole.length / 2), then);
}

const REDIRECTS = [301, 302, 307, 308].map(
  (status): Behaviour => ({
    name: `a redirect (${status})`,
    protocols: EVERY,
    answer: ({ response }) => send(response, status, '', { location: 'http://127.0.0.1:1/elsewhere' }),
  }),
);

/** Answers of what stands before a provider; each for every call, and for calls with one certain text. */
const FOREIGN: readonly Behaviour[] = (
  [
    ['a page of a firewall (403)', 403, '<html>canary</html>', 'text/html'],
    ['a page of a firewall (406)', 406, '<!DOCTYPE html><p>canary', 'text/html'],
    [
      'a page of a firewall (200)',
      200,
      '\n <html>The requested URL was rejected: canary</html>',
      'text/html',
    ],
    ['a line of a proxy (403)', 403, 'RBAC: access denied, canary', 'text/plain'],
    ['nothing but status 403', 403, '', 'text/plain'],
    ['the message of a gateway (403)', 403, '{"message":"canary"}', 'application/json'],
    ['a page of a web server (404)', 404, '<html>canary</html>', 'text/html'],
  ] as const
).flatMap(([name, status, body, type]): Behaviour[] => [
  {
    name: `${name}, for one certain text`,
    protocols: PLAIN,
    answer: answering =>
      answering.texts.includes(POISON)
        ? send(answering.response, status, body, { 'content-type': type })
        : embed(answering),
  },
  {
    name: `${name}, for everything`,
    protocols: PLAIN,
    answer: ({ response }) => send(response, status, body, { 'content-type': type }),
  },
]);

const PACKED: readonly Behaviour[] = [
  {
    name: 'the right answer, packed with gzip unasked',
    protocols: PLAIN,
    answer: answering =>
      send(answering.response, 200, gzipSync(wholeOf(answering)), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'the right answer, packed with brotli unasked',
    protocols: PLAIN,
    answer: answering =>
      send(answering.response, 200, brotliCompressSync(wholeOf(answering)), { 'content-encoding': 'br' }),
  },
  {
    name: 'a gzip bomb: 64 MB of spaces in 64 kB',
    protocols: PLAIN,
    answer: ({ response }) =>
      send(response, 200, gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')), { 'content-encoding': 'gzip' }),
  },
  {
    name: 'a body that is not the gzip it claims to be',
    protocols: PLAIN,
    answer: ({ response }) => send(response, 200, 'no gzip', { 'content-encoding': 'gzip' }),
  },
  {
    name: 'an encoding that nobody knows',
    protocols: PLAIN,
    answer: ({ response }) => send(response, 200, 'x', { 'content-encoding': 'rot13' }),
  },
];

/** What a connection, or a body as such, can do. */
export const TRANSPORT_BEHAVIOURS: readonly Behaviour[] = [
  { name: 'the right answer', protocols: EVERY, answer: answering => embed(answering) },
  {
    name: 'the right answer, said to be text/plain',
    protocols: EVERY,
    answer: answering => embed(answering, { 'content-type': 'text/plain' }),
  },
  {
    name: 'a reset before the headers',
    protocols: EVERY,
    answer: ({ response }) => void response.destroy(),
  },
  {
    name: 'a reset in the middle of the body',
    protocols: EVERY,
    answer: answering => sendHalf(answering, () => answering.response.destroy()),
  },
  { name: 'no headers, ever', protocols: EVERY, answer: ({ fallSilent }) => fallSilent() },
  {
    name: 'half a body, then silence',
    protocols: EVERY,
    answer: answering => sendHalf(answering, answering.fallSilent),
  },
  {
    name: 'a body of one byte at a time',
    protocols: EVERY,
    answer: ({ response, fallSilent }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      let bytes = 0;
      const drip = () => {
        if (response.destroyed) return;
        response.write(' ');
        bytes += 1;
        if (bytes === 20) fallSilent();
        setImmediate(drip);
      };
      drip();
    },
  },
  {
    name: 'something that is not HTTP',
    protocols: EVERY,
    answer: ({ response }) => void response.socket?.end('HTTP/9.9 what? canary\r\n\r\n'),
  },
  {
    name: 'half of the JSON, as a whole body',
    protocols: EVERY,
    answer: answering => {
      const whole = wholeOf(answering);
      send(answering.response, 200, whole.slice(0, whole.length / 2));
    },
  },
  {
    name: 'a body of 300 MB',
    protocols: EVERY,
    answer: ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      let chunks = 0;
      const pour = () => {
        while (chunks < 300 && !response.destroyed) {
          chunks += 1;
          if (!response.write(chunk)) return void response.once('drain', pour);
        }
        response.end();
      };
      pour();
    },
  },
  raw('an HTML page with status 200', '<html>canary</html>', { 'content-type': 'text/html' }),
  raw('an HTML page that says it is JSON', '<html>canary</html>'),
  raw('an HTML page with status 502', '<html>canary</html>', { 'content-type': 'text/html' }, 502),
  raw('an empty body', ''),
  { name: 'status 204', protocols: EVERY, answer: ({ response }) => void response.writeHead(204).end() },
  raw('an empty object', '{}'),
  raw('null', 'null'),
  raw('a JSON string', '"canary"'),
  raw('NaN, which is no JSON', '[[NaN]]'),
  {
    name: 'status 200 with an error that says the quota is spent',
    protocols: PLAIN,
    answer: ({ response }) =>
      sendJson(response, 200, { error: { code: 'insufficient_quota', message: 'canary' } }),
  },
  raw('status 200 with an error in unknown words', '{"error":{"code":"canary","message":"canary"}}'),
  ...REDIRECTS,
  ...PACKED,
  ...FOREIGN,
];

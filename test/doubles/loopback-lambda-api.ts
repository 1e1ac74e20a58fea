import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoopbackMapping {
  state: string;
  readonly tags: Map<string, string>;
}

export interface LoopbackLambdaApi {
  readonly endpoint: string;
  readonly mappings: Map<string, LoopbackMapping>;
  /** Method and path of every request that changes something. */
  readonly changes: string[];
  close(): Promise<void>;
}

const MAPPING = /^\/2015-03-31\/event-source-mappings\/([^/]+)\/?$/;
const TAGS = /^\/2017-03-31\/tags\/(.+)$/;
const arnOf = (id: string) => `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${id}`;

/** The part of Lambda's API that opens and closes event source mappings, on 127.0.0.1. Changes take effect at once. */
export async function startLoopbackLambdaApi(mappingIds: readonly string[]): Promise<LoopbackLambdaApi> {
  const mappings = new Map(
    mappingIds.map(id => [
      id,
      { state: 'Enabled', tags: new Map<string, string>() } satisfies LoopbackMapping,
    ]),
  );
  const changes: string[] = [];
  const answer = async (request: IncomingMessage): Promise<object | undefined> => {
    const url = new URL(request.url ?? '/', 'http://loopback');
    const path = decodeURIComponent(url.pathname);
    if (request.method !== 'GET') changes.push(`${request.method} ${path}`);
    const id = MAPPING.exec(path)?.[1] ?? TAGS.exec(path)?.[1]?.split(':').at(-1) ?? '';
    const mapping: LoopbackMapping | undefined = mappings.get(id);
    if (mapping === undefined) return undefined;
    const body = await readJson(request);
    if (TAGS.test(path))
      return changeTags(request.method ?? '', mapping, body, url.searchParams.getAll('tagKeys'));
    if (request.method === 'PUT') mapping.state = body.Enabled === true ? 'Enabled' : 'Disabled';
    return { UUID: id, EventSourceMappingArn: arnOf(id), State: mapping.state };
  };
  const server = createServer(async (request, response) => {
    const found = await answer(request);
    response.writeHead(found === undefined ? 404 : 200, {
      'content-type': 'application/json',
      ...(found === undefined && { 'x-amzn-errortype': 'ResourceNotFoundException' }),
    });
    response.end(JSON.stringify(found ?? { Message: 'not found' }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mappings,
    changes,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function changeTags(
  method: string,
  { tags }: LoopbackMapping,
  body: Record<string, unknown>,
  keys: readonly string[],
): object {
  if (method === 'POST')
    for (const [key, value] of Object.entries(body.Tags as Record<string, string>)) tags.set(key, value);
  if (method === 'DELETE') for (const key of keys) tags.delete(key);
  return { Tags: Object.fromEntries(tags) };
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}

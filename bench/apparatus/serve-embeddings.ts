import { type ReplyItem, startLoopbackOpenAiServer } from '../../test/doubles/loopback-openai-server.ts';

/**
 * Serves embeddings to a bench, in a process of its own, so that its CPU is nobody else's.
 * Argument: latency in milliseconds. The script prints its base URL and serves until it is killed.
 */
const server = await startLoopbackOpenAiServer({
  dimensions: 1536,
  latencyMs: Number(process.argv[2] ?? 0),
  recordCalls: false,
  behave: () => ({ kind: 'alter', data: items => items.map(shorten) }),
});
process.stdout.write(`${server.baseUrl}\n`);

/** Writes floats with ten places at most, as OpenAI does: whoever asks for them has half as much to read. */
function shorten(item: ReplyItem): ReplyItem {
  if (typeof item.embedding === 'string') return item;
  return { ...item, embedding: item.embedding.map(value => Math.round(value * 1e10) / 1e10) };
}

import { startLoopbackOpenAiServer } from '../../test/doubles/loopback-openai-server.ts';

/**
 * Serves embeddings to a bench, in a process of its own, so that its CPU is nobody else's.
 * Argument: latency in milliseconds. The script prints its base URL and serves until it is killed.
 */
const server = await startLoopbackOpenAiServer({
  dimensions: 1536,
  latencyMs: Number(process.argv[2] ?? 0),
  recordCalls: false,
});
process.stdout.write(`${server.baseUrl}\n`);

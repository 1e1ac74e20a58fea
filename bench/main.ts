import { parseArgs } from 'node:util';
import { benchBatches } from './bench-batches.ts';
import { benchDecode } from './bench-decode.ts';
import { benchDetect } from './bench-detect.ts';
import { benchEmbed } from './bench-embed.ts';
import { benchGovernor } from './bench-governor.ts';
import { benchHalf } from './bench-half.ts';
import { benchMeaning } from './bench-meaning.ts';
import { benchMemory } from './bench-memory.ts';
import { benchRun } from './bench-run.ts';
import { benchSearch } from './bench-search.ts';
import { benchServe } from './bench-serve.ts';
import { benchStage } from './bench-stage.ts';
import { benchStart } from './bench-start.ts';

const USAGE = `Usage: DATABASE_URL=postgres://… npm run bench [-- embed | run | memory | detect | stage | decode | meaning | half | search | serve | governor | batches | start] [--rows N] [--repetitions N]

  embed    Freshet against the usual script at 0 and 50 ms provider latency, and by batch size (20,000 rows, 3 repetitions)
  run      a whole run of Freshet, from its start to its end, beside a sketch of the same statements, drizzle with the AI SDK and the usual script (10,000 rows, 3 repetitions)
  memory   what a long run holds, by quarters of its time (200,000 rows of 384 dimensions)
  detect   100 stale rows: the incremental pass and a reconcile slice, at 100,000, 1M and 10M rows
  stage    how busy the workers of a stage are: a first load of 100,000 rows by the bundled functions, provider of 50 ms, 4 workers
  decode   a provider's replies of 10 texts, read by Freshet and by the openai package (1,000 replies, 5 repetitions); needs no server
  meaning  how well models find what is meant in the demo's rows, with LOCAL_MODEL a sentence model too; needs no server
  search   nDCG@10 of searches by vectors, words and both on a judged set, and how fast they are beside bare SQL (100,000 rows)
  half     halfvec against vector on real embeddings: recall, size, time (20,000 rows)
  serve    the embedding service at three times its capacity, batched against one by one (--seconds 10), with LOCAL_MODEL a sentence model too; needs no server
  governor four and eight workers before a server that allows so many tokens a minute, with the governor and without (--window-seconds 20)
  batches  a table bought by batch within the tokens that may be enqueued, and an edit meanwhile (200,000 rows)
  start    CPU of whole commands on a table that is embedded already (10,000 rows, 5 repetitions)

The server must be PostgreSQL on this machine (its CPU is read from /proc) and let the user create databases.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string' },
    repetitions: { type: 'string' },
    seconds: { type: 'string' },
    'window-seconds': { type: 'string' },
  },
});
const print = (line: string) => void process.stdout.write(`${line}\n`);
const serverUrl = process.env.DATABASE_URL;
const [subject = 'embed'] = positionals;
const onServer = [
  'embed',
  'run',
  'memory',
  'detect',
  'stage',
  'half',
  'search',
  'governor',
  'batches',
  'start',
];
if (subject === 'decode') {
  await benchDecode({
    replies: Number(values.rows ?? 1_000),
    repetitions: Number(values.repetitions ?? 5),
    print,
  });
} else if (subject === 'meaning') {
  await benchMeaning({ print });
} else if (subject === 'serve') {
  await benchServe({
    seconds: Number(values.seconds ?? 10),
    hasLocalModel: process.env.LOCAL_MODEL !== undefined,
    print,
  });
} else if (serverUrl === undefined || !onServer.includes(subject)) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 2;
} else if (subject === 'start') {
  await benchStart(serverUrl, {
    rows: Number(values.rows ?? 10_000),
    repetitions: Number(values.repetitions ?? 5),
    print,
  });
} else if (subject === 'search') {
  await benchSearch(serverUrl, { rows: Number(values.rows ?? 100_000), print });
} else if (subject === 'governor') {
  await benchGovernor(serverUrl, { windowSeconds: Number(values['window-seconds'] ?? 20), print });
} else if (subject === 'batches') {
  await benchBatches(serverUrl, { rows: Number(values.rows ?? 200_000), print });
} else if (subject === 'embed') {
  await benchEmbed(serverUrl, {
    rows: Number(values.rows ?? 20_000),
    repetitions: Number(values.repetitions ?? 3),
    print,
  });
} else if (subject === 'run') {
  await benchRun(serverUrl, {
    rows: Number(values.rows ?? 10_000),
    repetitions: Number(values.repetitions ?? 3),
    print,
  });
} else if (subject === 'memory') {
  await benchMemory(serverUrl, { rows: Number(values.rows ?? 200_000), print });
} else if (subject === 'half') {
  await benchHalf(serverUrl, { rows: Number(values.rows ?? 20_000), print });
} else if (subject === 'stage') {
  await benchStage(serverUrl, { rows: Number(values.rows ?? 100_000), print });
} else {
  await benchDetect(serverUrl, {
    rowCounts: values.rows ? [Number(values.rows)] : [100_000, 1_000_000, 10_000_000],
    print,
  });
}

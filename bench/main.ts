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

const OPTIONS = ['rows', 'repetitions', 'seconds', 'window-seconds'] as const;
const print = (line: string) => void process.stdout.write(`${line}\n`);

/** What the command line gives a bench: whole numbers, each with what it is where nobody says. */
type Read = (option: (typeof OPTIONS)[number], usual: number) => number;

const WITHOUT_SERVER: Readonly<Record<string, (read: Read) => Promise<void>>> = {
  decode: read => benchDecode({ replies: read('rows', 1_000), repetitions: read('repetitions', 5), print }),
  meaning: () => benchMeaning({ print }),
  serve: read => {
    const hasLocalModel = process.env.LOCAL_MODEL !== undefined;
    return benchServe({ seconds: read('seconds', 10), hasLocalModel, print });
  },
};

const ON_SERVER: Readonly<Record<string, (serverUrl: string, read: Read) => Promise<void>>> = {
  embed: (url, read) =>
    benchEmbed(url, { rows: read('rows', 20_000), repetitions: read('repetitions', 3), print }),
  run: (url, read) =>
    benchRun(url, { rows: read('rows', 10_000), repetitions: read('repetitions', 3), print }),
  memory: (url, read) => benchMemory(url, { rows: read('rows', 200_000), print }),
  detect: (url, read) => {
    const asked = read('rows', 0);
    return benchDetect(url, { rowCounts: asked > 0 ? [asked] : [100_000, 1_000_000, 10_000_000], print });
  },
  stage: (url, read) => benchStage(url, { rows: read('rows', 100_000), print }),
  half: (url, read) => benchHalf(url, { rows: read('rows', 20_000), print }),
  search: (url, read) => benchSearch(url, { rows: read('rows', 100_000), print }),
  governor: (url, read) => benchGovernor(url, { windowSeconds: read('window-seconds', 20), print }),
  batches: (url, read) => benchBatches(url, { rows: read('rows', 200_000), print }),
  start: (url, read) =>
    benchStart(url, { rows: read('rows', 10_000), repetitions: read('repetitions', 5), print }),
};

/**
 * Begins the bench that the words name.
 * @throws TypeError where they name none, or one that cannot run so
 */
function begin(words: readonly string[]): Promise<void> {
  const options = Object.fromEntries(OPTIONS.map(name => [name, { type: 'string' as const }]));
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options });
  const read: Read = (option, usual) => {
    const given = values[option];
    if (given !== undefined && !/^[1-9]\d*$/.test(given))
      throw new TypeError(`--${option} is a whole number of at least 1, not "${given}".`);
    return given === undefined ? usual : Number(given);
  };
  const [subject = 'embed', ...more] = positionals;
  if (more.length > 0) throw new TypeError(`One bench at a time: what is "${more.join(' ')}"?`);
  const alone = Object.hasOwn(WITHOUT_SERVER, subject) ? WITHOUT_SERVER[subject] : undefined;
  if (alone !== undefined) return alone(read);
  const onServer = Object.hasOwn(ON_SERVER, subject) ? ON_SERVER[subject] : undefined;
  if (onServer === undefined) throw new TypeError(`There is no bench "${subject}".`);
  const serverUrl = process.env.DATABASE_URL ?? '';
  if (serverUrl === '') throw new TypeError('DATABASE_URL is not set.');
  return onServer(serverUrl, read);
}

let running: Promise<void> | undefined;
try {
  running = begin(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
await running;

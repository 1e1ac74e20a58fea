import { parseArgs } from 'node:util';
import { benchDecode } from './bench-decode.ts';
import { benchDetect } from './bench-detect.ts';
import { benchEmbed } from './bench-embed.ts';

const USAGE = `Usage: DATABASE_URL=postgres://… npm run bench [-- embed | detect | decode] [--rows N] [--repetitions N]

  embed    Freshet against the usual script at 0 and 50 ms provider latency, and by batch size (20,000 rows, 3 repetitions)
  detect   100 stale rows: the incremental pass and a reconcile slice, at 100,000, 1M and 10M rows
  decode   a provider's replies of 10 texts, read by Freshet and by the openai package (1,000 replies, 5 repetitions); needs no server

The server must be PostgreSQL on this machine (its CPU is read from /proc) and let the user create databases.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string' }, repetitions: { type: 'string' } },
});
const print = (line: string) => void process.stdout.write(`${line}\n`);
const serverUrl = process.env.DATABASE_URL;
const [subject = 'embed'] = positionals;
if (subject === 'decode') {
  await benchDecode({
    replies: Number(values.rows ?? 1_000),
    repetitions: Number(values.repetitions ?? 5),
    print,
  });
} else if (serverUrl === undefined || (subject !== 'embed' && subject !== 'detect')) {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 2;
} else if (subject === 'embed') {
  await benchEmbed(serverUrl, {
    rows: Number(values.rows ?? 20_000),
    repetitions: Number(values.repetitions ?? 3),
    print,
  });
} else {
  await benchDetect(serverUrl, {
    rowCounts: values.rows ? [Number(values.rows)] : [100_000, 1_000_000, 10_000_000],
    print,
  });
}

import {
  amountFlag,
  currencyFlag,
  durationFlag,
  switchFlag,
  textFlag,
  wholeNumberFlag,
  wholeNumbersFlag,
} from '../terminal/flags.ts';

/** Flags of `run` and `start`; for flags that are left out the configuration's `limits` hold. */
export const runFlags = {
  mode: textFlag(
    'NAME',
    'bootstrap: small batches, a pause, a failure log; maintenance: 20,000 rows at most; or your own',
  ),
  'max-items': wholeNumberFlag('N', 'stop after about this many rows', { least: 1, most: 1_000_000_000 }),
  'max-usd': amountFlag('N', 'stop before a call that would spend more than so many US dollars'),
  'batch-size': wholeNumberFlag('N', 'rows per message and texts per call', { least: 1, most: 2048 }),
  concurrency: wholeNumberFlag('N', 'calls at the same time', { least: 1, most: 256 }),
  'max-chars': wholeNumberFlag('N', 'longest text, in characters', { least: 1, most: 100_000_000 }),
  'pause-ms': wholeNumberFlag('N', 'pause after each batch, in milliseconds', { least: 0, most: 3_600_000 }),
  'timeout-sec': wholeNumberFlag('N', 'longest provider call, in seconds', { least: 1, most: 600 }),
  'report-every': durationFlag('TIME', 'between two progress lines (10s) where the line cannot be rewritten'),
  'failure-log': textFlag('FILE', 'write the failed rows there as JSON lines: ids and codes, no text'),
  'max-wait': durationFlag('TIME', 'give up when nothing moves for this long (5m)'),
};

/** Keys of the result of `status`. */
export const STATUS_KEYS = ['spaces', 'unread', 'paused', 'ledger', 'queries', 'budget', 'flows'] as const;

/** Keys of what `run` and `start` print under `--json`. */
export const RUN_KEYS = [
  ...[
    'end',
    'spaces',
    'embedded',
    'copied',
    'touched',
    'excluded',
    'failed',
    'tokens',
    'costUsd',
    'providerCalls',
  ],
  ...['lastUpdate', 'averageMsPerItem', 'errorRate', 'durationMs', 'error?'],
];

/** Flags of `bench`, which embeds a copy of some rows once per batch size. */
export const benchFlags = {
  items: wholeNumberFlag('N', 'rows to embed per batch size (1000)', { least: 1, most: 100_000 }),
  'batch-sizes': wholeNumbersFlag('N,N', 'batch sizes to try (50,100,200)', { least: 1, most: 2048 }),
  source: textFlag('NAME', 'source whose rows are embedded (the first one)'),
  model: textFlag('ALIAS', 'model that embeds them, such as the built-in static (the source’s first)'),
};

/** Flags of `init`, which otherwise asks. */
export const initFlags = {
  table: textFlag('NAME', 'table to embed: items, or shop.items'),
  key: textFlag('COLUMNS', 'its key (the primary key)'),
  text: textFlag('COLUMNS', 'columns that make the text, parted by commas'),
  'updated-at': textFlag('COLUMN', 'column that every change of a row sets'),
  'time-zone': textFlag('ZONE', 'zone of that column’s values, where it has none (UTC)'),
  model: textFlag('ALIAS', 'model, as `models` lists them (static)'),
  output: textFlag('FILE', 'file to write (freshet.config.ts)'),
  'github-action': switchFlag('write .github/workflows/freshet.yml too, which runs it every 15 minutes'),
  embedded: switchFlag('look at the embedded database in .freshet'),
  force: switchFlag('overwrite files that exist'),
  yes: switchFlag('ask nothing: take what is proposed'),
};

export const quoteFlags = {
  source: textFlag('NAME', 'only this source'),
  currency: currencyFlag('CODE', 'show the price in this currency too; needs --rate'),
  rate: amountFlag('N', 'units of that currency for one US dollar'),
};

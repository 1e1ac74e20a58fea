import {
  durationFlag,
  type Flags,
  type FlagValues,
  instantFlag,
  switchFlag,
  textFlag,
  wholeNumberFlag,
} from '../terminal/flags.ts';
import type {
  CommandBody,
  CommandContext,
  CommandDefinition,
  OperatorContext,
  placeFlags,
  StageContext,
} from './command.ts';
import { benchFlags, initFlags, quoteFlags, RUN_KEYS, runFlags, STATUS_KEYS } from './run-flags.ts';
import { explainPlace, searchFlags, searchPlace } from './search-flags.ts';
import { serveFlags, tokenFlags } from './serve-flags.ts';

type LoadedBody = Promise<CommandBody<never>>;

/** The flag of commands that change something on a stage. */
const apply = switchFlag('do it; without this flag the command only says what it would do');

/** Flags that name what is paused or resumed. */
const pauseScopeFlags = {
  source: textFlag('NAME', 'only this source'),
  model: textFlag('ALIAS', 'only this model'),
};

const failuresPlace = { summary: 'failed rows by cause, each with what to do', keys: ['failures'] } as const;
const quoteKeys = ['quotes', 'currency?'];
const resetPlace = {
  summary: 'makes embedded rows stale, so that they are bought again; without --apply it only counts',
  keys: ['applied', 'spaces', 'rows?'],
} as const;

/** Every command of `freshet`, in the order of the help text. */
export const commandTable = {
  start: {
    flags: runFlags,
    exitCodes: [3, 4, 5],
    here: { summary: 'creates the sample if it is missing, runs, reports and searches', keys: RUN_KEYS },
    load: async (): LoadedBody => (await import('./start.ts')).startCommand,
  },
  init: {
    flags: initFlags,
    here: {
      summary: 'looks at the database, asks, and writes freshet.config.ts for a table of yours',
      keys: ['ok', 'file', 'workflow?', 'estimate', 'findings', 'next', 'source', 'vectorColumns'],
    },
    load: async (): LoadedBody => (await import('./init.ts')).initCommand,
  },
  run: {
    flags: {
      ...runFlags,
      watch: switchFlag('go on when nothing is stale, until interrupted'),
      'watch-interval': durationFlag('TIME', 'between two looks (10s)'),
    },
    exitCodes: [3, 4, 5],
    here: { summary: 'embeds until nothing is stale; with --watch it goes on', keys: RUN_KEYS },
    load: async (): LoadedBody => (await import('./run.ts')).runCommand,
  },
  status: {
    here: {
      summary: 'how much is embedded, what is on its way, what is paused and why',
      keys: STATUS_KEYS,
    },
    stage: {
      summary: 'coverage, pauses, money, each queue with its dead letters, event sources and schedules',
      keys: [...STATUS_KEYS, 'queues', 'eventSources', 'schedules'],
    },
    load: async (): LoadedBody => (await import('./status.ts')).statusCommand,
  },
  quote: {
    flags: quoteFlags,
    here: {
      summary: 'what the next run will buy, before it does: texts, tokens, price and time; nothing is bought',
      keys: quoteKeys,
    },
    stage: { summary: 'what the next ticks will buy, and what AWS is paid for it', keys: quoteKeys },
    load: async (): LoadedBody => (await import('./quote.ts')).quoteCommand,
  },
  search: {
    argument: '"text"',
    flags: searchFlags,
    here: searchPlace,
    load: async (): LoadedBody => (await import('./search.ts')).searchCommand,
  },
  'explain-search': {
    argument: '"text"',
    flags: searchFlags,
    here: explainPlace,
    load: async (): LoadedBody => (await import('./search.ts')).explainSearchCommand,
  },
  serve: {
    flags: serveFlags,
    here: {
      summary: 'answers POST /v1/search, /v1/embed and /v1/embeddings, until interrupted',
      keys: ['url', 'models'],
    },
    load: async (): LoadedBody => (await import('./serve.ts')).serveCommand,
  },
  token: {
    flags: tokenFlags,
    here: { summary: 'prints a token for trying `serve`, signed with its shared secret', keys: ['token'] },
    load: async (): LoadedBody => (await import('./token.ts')).tokenCommand,
  },
  failures: {
    flags: { examples: wholeNumberFlag('N', 'ids per cause (5)', { least: 1, most: 1000 }) },
    here: failuresPlace,
    stage: failuresPlace,
    load: async (): LoadedBody => (await import('./failures.ts')).failuresCommand,
  },
  retry: {
    flags: {
      source: textFlag('NAME', 'only rows of this source'),
      class: textFlag('C', 'only failures of this class or code, as `failures` prints them'),
      item: textFlag('ID', 'only this row'),
    },
    here: { summary: 'makes failed rows stale again; the next run embeds them', keys: ['retried'] },
    stage: {
      summary: 'makes failed rows stale again; the next tick sends them',
      flags: { apply },
      keys: ['applied', 'rows'],
    },
    load: async (): LoadedBody => (await import('./failures.ts')).retryCommand,
  },
  redrive: {
    flags: {
      queue: textFlag('NAME', 'results, or model/lane as `aws status` prints them (every queue)'),
      source: textFlag('NAME', 'only rows of this source'),
      class: textFlag('C', 'only rows whose last outcome failed with this class or code'),
      'whole-queue': switchFlag('let SQS move every letter back unread, superseded ones too'),
      // 500 is SQS's own limit for a move task.
      'per-second': wholeNumberFlag('N', 'messages per second of --whole-queue', { least: 1, most: 500 }),
      cancel: switchFlag('end the --whole-queue move that runs; what was moved stays moved'),
      apply,
    },
    stage: {
      summary: 'sends dead letters again: only the rows that are still stale, or --whole-queue',
      keys: ['applied', 'queues?', 'redriven?', 'moved?', 'cancelled?'],
    },
    load: async (): LoadedBody => (await import('./redrive.ts')).redriveCommand,
  },
  backfill: {
    flags: { ...pauseScopeFlags, apply },
    stage: { summary: 'walks every row of the table from the lowest key, now', keys: ['applied', 'spaces'] },
    load: async (): LoadedBody => (await import('./backfill.ts')).backfillCommand,
  },
  pause: {
    flags: {
      ...pauseScopeFlags,
      reason: textFlag('WORDS', 'a few words for whoever sees the pause: a ticket, a name'),
    },
    here: {
      summary: 'stops detecting and embedding, of everything or of one source or model, until `resume`',
      keys: ['changed', 'paused'],
    },
    stage: {
      summary: 'stops detecting and embedding until `aws resume`; nothing is lost, rows only grow stale',
      flags: {
        now: switchFlag('close event sources and schedules at once instead of at the guard’s next look'),
        apply,
      },
      keys: ['applied', 'scope', 'changed?', 'paused', 'switched?'],
    },
    load: async (): LoadedBody => (await import('./pause.ts')).pauseCommand,
  },
  resume: {
    flags: pauseScopeFlags,
    here: { summary: 'ends what `pause` began, and no pause of another reason', keys: ['changed', 'paused'] },
    stage: {
      summary: 'ends what `aws pause` began, and no pause of another reason',
      flags: {
        now: switchFlag('open event sources and schedules at once; needed where they were closed with --now'),
        apply,
      },
      keys: ['applied', 'scope', 'changed?', 'paused', 'switched?'],
    },
    load: async (): LoadedBody => (await import('./pause.ts')).resumeCommand,
  },
  stop: {
    flags: { wait: durationFlag('TIME', 'how long to wait for their end (15s)') },
    here: {
      summary: 'ends the runs in progress after the batch in hand; nothing is lost',
      keys: ['asked', 'stopped', 'stillRunning'],
    },
    load: async (): LoadedBody => (await import('./stop.ts')).stopCommand,
  },
  nudge: {
    here: { summary: 'makes the runs that watch look now, not after their interval', keys: ['runs'] },
    stage: { summary: 'looks for edited rows now, not at the next tick', keys: ['started'] },
    load: async (): LoadedBody => (await import('./nudge.ts')).nudgeCommand,
  },
  reset: {
    flags: {
      all: switchFlag('every row of every source and model'),
      source: textFlag('NAME', 'rows of this source'),
      model: textFlag('ALIAS', 'rows of this model'),
      'older-than': instantFlag('DATE', 'rows embedded before: 2026-03-01, or a time with its zone'),
      apply: switchFlag('do it'),
      yes: switchFlag('do not ask'),
    },
    here: resetPlace,
    stage: resetPlace,
    load: async (): LoadedBody => (await import('./reset.ts')).resetCommand,
  },
  logs: {
    flags: {
      function: textFlag('NAME', 'detect, embed, write, guard, migrate, operate or api (all)'),
      since: durationFlag('TIME', 'how far back (15m)'),
      follow: switchFlag('go on until interrupted'),
      trouble: switchFlag('only warnings and errors'),
    },
    stage: { summary: 'what the functions logged: ids, codes and numbers', keys: ['lines'] },
    load: async (): LoadedBody => (await import('./logs.ts')).logsCommand,
  },
  models: {
    argument: '[check | publish]',
    flags: {
      alias: textFlag('NAME', 'publish: alias that the printed configuration gives the model'),
      from: textFlag('FOLDER', 'publish: the model as it was downloaded from the hub'),
      bucket: textFlag('NAME', 'publish: bucket to publish into'),
      prefix: textFlag('PREFIX', 'publish: where in the bucket (models/)'),
      region: textFlag('NAME', 'publish: region of the bucket instead of AWS_REGION or the profile’s'),
      apply: switchFlag('publish: do it; without this flag the command only says what it would do'),
    },
    here: {
      summary:
        'lists the models; check calls those of the sources and compares their vectors; publish ' +
        'uploads weights for the GPU endpoint',
      keys: [
        ...['ok?', 'models?', 'alias?', 'bucket?', 'applied?', 'files?', 'bytes?', 'missingFiles?'],
        ...['missingBytes?', 'sha256?', 'prefix?', 'configuration?'],
      ],
    },
    load: async (): LoadedBody => (await import('./models.ts')).modelsCommand,
  },
  bench: {
    flags: benchFlags,
    exitCodes: [3, 5],
    here: {
      summary: 'what a copy of some rows costs by batch size: time, CPU, memory, money; keeps nothing',
      keys: ['source', 'model', 'items', 'runs'],
    },
    load: async (): LoadedBody => (await import('./bench.ts')).benchCommand,
  },
  migrate: {
    here: {
      summary: 'brings schema freshet to this version and creates the tables of new spaces',
      keys: ['from', 'to', 'applied'],
    },
    load: async (): LoadedBody => (await import('./migrate.ts')).migrateCommand,
  },
  doctor: {
    flags: { 'count-keys': switchFlag('count doubled keys in tables above 10 million rows too') },
    here: {
      summary: 'checks privileges, indexes, versions and visibility, each with the statement that mends it',
      keys: ['ok', 'findings'],
    },
    load: async (): LoadedBody => (await import('./doctor.ts')).doctorCommand,
  },
  sql: {
    argument: '"statement"',
    here: { summary: 'runs a statement on the embedded database', keys: ['rows', 'affectedRows'] },
    load: async (): LoadedBody => (await import('./sql.ts')).sqlCommand,
  },
} as const satisfies Readonly<Record<string, CommandDefinition>>;

export type CommandName = keyof typeof commandTable;

type FlagsIn<Part> = Part extends { readonly flags: infer Known extends Flags }
  ? Known
  : Record<never, never>;
type PartOf<Definition, Name extends string> = Definition extends { readonly [Key in Name]: infer Part }
  ? Part
  : Record<never, never>;
type AllFlags<Name extends CommandName> = FlagsIn<(typeof commandTable)[Name]> &
  FlagsIn<PartOf<(typeof commandTable)[Name], 'here'>> &
  FlagsIn<PartOf<(typeof commandTable)[Name], 'stage'>> &
  typeof placeFlags.here &
  typeof placeFlags.stage;

/** Values of a command's flags, at whatever place. */
export type FlagsOf<Name extends CommandName> = FlagValues<AllFlags<Name>>;

/** What a command of the table gets that is given here alone. */
export type HereCommand<Name extends CommandName> = CommandContext<AllFlags<Name>>;
/** What a command of the table gets that is given on a stage too. */
export type OperatorCommand<Name extends CommandName> = OperatorContext<AllFlags<Name>>;
/** What a command of the table gets that is given on a stage alone. */
export type StageCommand<Name extends CommandName> = StageContext<AllFlags<Name>>;

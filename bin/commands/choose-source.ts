import { findEligible, listSome, nameTable } from '../../lib/core/config/choose-table.ts';
import { describeModel, type NewSource } from '../../lib/core/config/compose-config.ts';
import { nearestWord } from '../../lib/core/config/describe-issues.ts';
import { type JudgedTable, judgeTable } from '../../lib/core/config/judge-tables.ts';
import { needsTimeZone } from '../../lib/core/config/source-rules.ts';
import { UsageError } from '../../lib/core/errors.ts';
import type { ModelDefinition } from '../../lib/core/model.ts';
import { DOCS } from '../../lib/core/own-command.ts';
import { formatBytes } from '../../lib/core/quantities.ts';
import { formatCount } from '../../lib/core/run-end.ts';
import type { InitWorkspace } from '../../lib/wiring/init.ts';
import type { Option, Prompts } from '../terminal/prompts.ts';

/** What flags say of the source; for what they leave out somebody is asked. */
interface SourceFlags {
  readonly table?: string | undefined;
  readonly key?: string | undefined;
  readonly text?: string | undefined;
  readonly 'updated-at'?: string | undefined;
  readonly 'time-zone'?: string | undefined;
  readonly model?: string | undefined;
}

/** The model that is proposed: it costs nothing, needs no key, and no text leaves the machine. */
const PROPOSED_MODEL = 'static';
/** The zone that is proposed for a column without one. */
const PROPOSED_ZONE = 'UTC';

/**
 * Chooses the table, its columns and the model of a new source.
 * What a flag says is taken or refused. Of the rest only that is asked which has several answers.
 * @param prompts undefined: nobody is asked, and what is proposed is taken
 * @throws UsageError where nothing can be chosen, and where several tables can and nobody is asked
 */
export async function chooseSource(
  { tables, asked, models }: Pick<InitWorkspace, 'tables' | 'asked' | 'models'>,
  flags: SourceFlags,
  prompts: Prompts | undefined,
): Promise<NewSource> {
  const model = flags.model === undefined ? undefined : requireModel(models, flags.model);
  const wishes = {
    key: splitNames(flags.key),
    updatedAt: flags['updated-at'],
    textColumns: splitNames(flags.text),
  };
  const judged = tables.map(table => judgeTable(table, wishes));
  const { table, choices } = await chooseTable(findEligible(judged, flags.table, asked), prompts);
  const { schema, name } = table;
  const textColumns = await chooseTexts({ table, choices }, wishes.textColumns, prompts);
  const updatedAt = await chooseVersion({ table, choices }, prompts);
  const version = choices.versions.find(column => column.name === updatedAt)!;
  const timeZone = await chooseTimeZone(version, flags['time-zone'], prompts);
  return {
    ...{ schema, table: name, key: choices.keys[0]!, updatedAt, timeZone, textColumns },
    model: model ?? (await chooseModel(models, prompts)),
  };
}

/** Column names of a flag, parted by commas. */
function splitNames(given: string | undefined): readonly string[] | undefined {
  return given?.split(',').map(name => name.trim());
}

async function chooseTable(
  eligible: readonly [JudgedTable, ...JudgedTable[]],
  prompts: Prompts | undefined,
): Promise<JudgedTable> {
  if (eligible.length === 1) return eligible[0];
  const names = eligible.map(({ table }) => nameTable(table));
  if (prompts === undefined)
    throw new UsageError(
      `${formatCount(names.length)} tables can be embedded: --table names one of them.`,
      `Tables: ${listSome(names)}`,
    );
  const options = eligible.map(
    ({ table }, value): Option<number> => ({
      value,
      label: nameTable(table),
      hint: table.rows === null ? formatBytes(table.bytes) : `about ${formatCount(table.rows)} rows`,
    }),
  );
  return eligible[await prompts.chooseOne('Which table is to be searched?', options)]!;
}

type Chosen = Pick<JudgedTable, 'table' | 'choices'>;

async function chooseTexts(
  { table, choices: { texts, allTexts } }: Chosen,
  wished: readonly string[] | undefined,
  prompts: Prompts | undefined,
): Promise<readonly string[]> {
  if (prompts === undefined || wished !== undefined || allTexts.length === 1) return texts;
  const types = new Map(table.columns.map(({ name, type }) => [name, type]));
  const options = allTexts.map(value => ({ value, label: value, hint: types.get(value) }));
  return prompts.chooseSome(`Which columns of ${nameTable(table)} make its text?`, options, texts);
}

async function chooseVersion(
  { table, choices: { versions } }: Chosen,
  prompts: Prompts | undefined,
): Promise<string> {
  if (prompts === undefined || versions.length === 1) return versions[0]!.name;
  const options = versions.map(({ name, type }) => ({ value: name, label: name, hint: type }));
  return prompts.chooseOne(`Which column of ${nameTable(table)} is set at every change?`, options);
}

async function chooseTimeZone(
  { name, baseType }: JudgedTable['choices']['versions'][number],
  given: string | undefined,
  prompts: Prompts | undefined,
): Promise<string | undefined> {
  if (!needsTimeZone(baseType)) {
    if (given === undefined) return undefined;
    throw new UsageError(`--time-zone: ${JSON.stringify(name)} is a ${baseType} and needs none.`);
  }
  if (given !== undefined || prompts === undefined) return given ?? PROPOSED_ZONE;
  return prompts.askText(`${name} has no time zone. Which one are its values in?`, PROPOSED_ZONE);
}

function requireModel(models: InitWorkspace['models'], alias: string): string {
  if (Object.hasOwn(models, alias)) return alias;
  const names = Object.keys(models);
  const nearest = nearestWord(alias, names);
  throw new UsageError(
    `--model ${JSON.stringify(alias)}: there is no such model` +
      (nearest === undefined ? '.' : `; did you mean ${nearest}?`),
    `Models: ${names.join(', ')}. Others need a place, which is written by hand: ${DOCS}/configuration.md.`,
  );
}

async function chooseModel(models: InitWorkspace['models'], prompts: Prompts | undefined): Promise<string> {
  if (prompts === undefined) return PROPOSED_MODEL;
  const isProposed = ({ alias }: ModelDefinition) => alias === PROPOSED_MODEL;
  const options = Object.values(models)
    // `hash` knows no meaning: it is for trying the pipeline.
    .filter(({ provider }) => provider !== 'hash')
    .toSorted((left, right) => Number(isProposed(right)) - Number(isProposed(left)))
    .map(model => ({ value: model.alias, label: model.alias, hint: describeModel(model) }));
  return prompts.chooseOne('Which model embeds it? Another one later makes every vector anew.', options);
}

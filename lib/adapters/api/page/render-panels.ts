import { html } from 'hono/html';
import { adviseFailure } from '../../../core/advise-failure.ts';
import { formatPeriodEnd, judgeSpending } from '../../../core/budget.ts';
import { OPERATOR_PAUSE, PIPELINE_SCOPE, sourceScope } from '../../../core/control.ts';
import { describeBatches, describeLimits, describeQueue, type ModelFlow } from '../../../core/model-flow.ts';
import { FRESHET } from '../../../core/own-command.ts';
import { formatDuration, formatUsd } from '../../../core/quantities.ts';
import { formatCount } from '../../../core/run-end.ts';
import type { PauseReason } from '../../../ports/control-store.ts';
import type { ModelReadiness, ServiceLoad } from '../../../ports/embedding-service.ts';
import type { ReportedSpace, SourceFailures, StatusAnswer } from '../../../ports/operator.ts';
import type { QueryTotals, Spending } from '../../../ports/report-store.ts';
import type { WatchedRows } from '../../../ports/rows-operator.ts';

/** A piece of a page. Texts that were put into it are escaped. */
export type Markup = ReturnType<typeof html>;

/** The parts of the page that change while somebody looks, by the id of their element. */
export type Panels = Readonly<Record<(typeof PANEL_NAMES)[number], Markup>>;
const PANEL_NAMES = [
  'coverage',
  'queues',
  'pauses',
  'failures',
  'limits',
  'batches',
  'money',
  'service',
  'models',
] as const;

const NONE = html``;
const EMPTY = { queues: NONE, pauses: NONE, failures: NONE, limits: NONE, batches: NONE, money: NONE };

/** The terms of the coverage, in the order of its equation, with the class of their colour. */
const TERMS = [
  ['fresh', 'fresh', 'fresh'],
  ['excluded', 'excluded', 'excluded'],
  ['failed', 'failed', 'failed'],
  ['inFlight', 'in flight', 'in-flight'],
  ['stale', 'stale', 'stale'],
] as const satisfies readonly (readonly [keyof ReportedSpace, string, string])[];

/** The service itself, whose page it is. */
interface ShownService {
  readonly models: readonly ModelReadiness[];
  readonly load: ServiceLoad;
}

/** Renders how things stand. It shows ids, counts, causes and names; no text of a row. */
export function renderPanels(rows: WatchedRows, { models, load }: ShownService): Panels {
  const own = { service: renderService(load), models: renderModels(models) };
  if (!rows.isRead) return { ...EMPTY, coverage: renderObstacle(rows), ...own };
  const { spaces, unread, paused, ledger, queries, budget, flows } = rows.status;
  const sources = [...spaces.map(space => renderSpace(space, paused)), ...unread.map(renderUnread)];
  return {
    coverage: html`<h2>Coverage</h2>${sources}`,
    queues: html`<h2>Queues</h2>${renderQueues(flows)}`,
    pauses: html`<h2>Paused</h2>${renderPauses(paused)}`,
    failures: html`<h2>Failures</h2>${renderFailures(rows.failures)}`,
    limits: html`<h2>Limits</h2>${flows.map(renderLimits)}`,
    batches: renderBatches(flows),
    money: html`<h2>Money</h2>${budget.map(renderSpending)}${renderLedger(ledger)}${renderQueries(queries)}`,
    ...own,
  };
}

function renderObstacle({ message, remedy }: Extract<WatchedRows, { isRead: false }>): Markup {
  return html`<h2>Coverage</h2>
    <p><strong>The rows cannot be read now.</strong> ${message}</p>
    ${remedy === undefined ? '' : html`<pre tabindex="0"><code>${remedy}</code></pre>`}`;
}

/** Says which source has no numbers because its rows cannot be read: it would look forgotten. */
function renderUnread(source: string): Markup {
  return html`<article>
      <h3>${source}</h3>
      <p><strong>Its rows cannot be read.</strong> To see why: <code>${FRESHET} doctor</code></p>
    </article>`;
}

function renderSpace(space: ReportedSpace, paused: readonly PauseReason[]): Markup {
  const { source, model, eligible, coveragePercent } = space;
  const equation = TERMS.map(
    ([key, word, colour], place) =>
      html`${place === 0 ? '' : ' + '}<span class="term"
        ><span class="swatch ${colour}"></span>${formatCount(space[key])} ${word}</span>`,
  );
  const scope = sourceScope(source);
  const isPaused = paused.some(held => held.scope === scope && held.reason === OPERATOR_PAUSE);
  return html`<article>
      <h3>${source} &middot; ${model}</h3>
      <p class="figure">${coveragePercent.toFixed(2)} % covered</p>
      ${renderBar(space)}
      <p>${formatCount(eligible)} eligible = ${equation}</p>
      <p>${describePace(space)}</p>
      ${isPaused ? '' : renderAction('pause', { scope }, `Pause ${source}`)}
    </article>`;
}

const BAR_WIDTH = 1000;

function renderBar(space: ReportedSpace): Markup {
  let left = 0;
  const parts = TERMS.map(([key, , colour]) => {
    const x = left;
    left += (BAR_WIDTH * space[key]) / Math.max(1, space.eligible);
    const width = (left - x).toFixed(2);
    return html`<rect class="${colour}" x="${x.toFixed(2)}" width="${width}" height="24"></rect>`;
  });
  const label = `${space.coveragePercent.toFixed(2)} % of ${space.source} covered`;
  return html`<svg class="bar" role="img" aria-label="${label}"
      viewBox="0 0 ${BAR_WIDTH} 24" preserveAspectRatio="none">${parts}</svg>`;
}

function describePace({ stale, inFlight, rowsPerSecond, oldestStaleAgeSeconds }: ReportedSpace): string {
  const sentences: string[] = [];
  if (rowsPerSecond > 0) {
    const rate = rowsPerSecond < 10 ? rowsPerSecond.toFixed(1) : formatCount(Math.round(rowsPerSecond));
    sentences.push(`${rate} rows a second over the last five minutes.`);
    const left = stale + inFlight;
    if (left > 0)
      sentences.push(`At that rate the rest takes ${formatDuration((left / rowsPerSecond) * 1000)}.`);
  }
  if (oldestStaleAgeSeconds > 0)
    sentences.push(`The oldest edit has waited for ${formatDuration(oldestStaleAgeSeconds * 1000)}.`);
  return sentences.join(' ');
}

function renderPauses(paused: readonly PauseReason[]): Markup {
  if (paused.length === 0) return html`<p>Nothing is paused.</p>`;
  return html`<ul>${paused.map(renderPause)}</ul>`;
}

function renderPause({ scope, reason, detail, since }: PauseReason): Markup {
  const cause = detail === '' ? reason : `${reason} – ${detail}`;
  const told = html`<strong>${scope}</strong> since ${since}: ${cause}`;
  if (reason !== OPERATOR_PAUSE) return html`<li>${told}. It ends by what set it.</li>`;
  return html`<li>${told}
      ${renderAction('resume', { scope }, `Resume ${scope}`)}
      <p class="typed">To resume it: <code>${typeResume(scope)}</code></p></li>`;
}

/** The command that clears an operator's pause, for who reads the page without its script. */
function typeResume(scope: string): string {
  const command = `${FRESHET} resume`;
  if (scope === PIPELINE_SCOPE) return command;
  const at = scope.indexOf(':');
  return `${command} --${scope.slice(0, at)} ${scope.slice(at + 1)}`;
}

function renderFailures(failures: readonly SourceFailures[]): Markup {
  if (failures.length === 0) return html`<p>No row failed.</p>`;
  return html`<ul>${failures.map(renderFailure)}</ul>`;
}

function renderFailure(failure: SourceFailures): Markup {
  const { source, model, rows, failureClass, code, exampleIds, lastAt } = failure;
  const ids = exampleIds.join(', ') + (rows > exampleIds.length ? ', …' : '');
  const count = `${formatCount(rows)} ${rows === 1 ? 'row' : 'rows'}`;
  const command = `${FRESHET} retry --source ${source} --class ${code}`;
  return html`<li><strong>${source} &middot; ${model}: ${count}, ${failureClass} ${code}</strong>
      <p>Keys: ${ids}; last read ${lastAt ?? 'at an unknown time'}.</p>
      <p>To do: ${adviseFailure(failure, 'local')}.</p>
      ${renderAction('retry', { source, cause: code }, `Retry ${code} of ${source}`)}
      <p class="typed">To retry: <code>${command}</code></p></li>`;
}

function renderQueues(flows: readonly ModelFlow[]): Markup {
  const queues = flows.flatMap(({ model, queues: lanes }) => lanes.map(lane => ({ model, lane })));
  if (queues.length === 0) return html`<p>No row is on its way.</p>`;
  return html`<ul>${queues.map(
    ({ model, lane }) =>
      html`<li><strong>${model} &middot; ${lane.lane}</strong>: ${describeQueue(lane)}.</li>`,
  )}</ul>`;
}

/** A model's limits in words, and how much of each was used as a bar. */
function renderLimits(flow: ModelFlow): Markup {
  const { model, limits, used } = flow;
  const bar = (limit: number | null, taken: number, unit: string) => {
    if (limit === null) return '';
    const told = `${model}: ${formatCount(taken)} of ${formatCount(limit)} ${unit} in the last minute`;
    return html`<meter min="0" max="${limit}" value="${Math.min(taken, limit)}"
      aria-label="${told}"></meter>`;
  };
  return html`<article>
      <h3>${model}</h3>
      <p>${describeLimits(flow)}.</p>
      ${bar(limits.requestsPerMinute, used.requests, 'requests')}
      ${bar(limits.tokensPerMinute, used.tokens, 'tokens')}
    </article>`;
}

/** What the batch lane holds; no panel where it holds nothing. */
function renderBatches(flows: readonly ModelFlow[]): Markup {
  const held = flows.flatMap(({ model, batches }) => (batches === null ? [] : [{ model, batches }]));
  if (held.length === 0) return NONE;
  return html`<h2>Batches</h2>
    <ul>${held.map(
      ({ model, batches }) => html`<li><strong>${model}</strong>: ${describeBatches(batches)}.</li>`,
    )}</ul>`;
}

/** What was spent of a cap in the period that runs, as words and as a bar. */
function renderSpending(spending: Spending): Markup {
  const { scope, period, spentUsd, capUsd, percent, endsAt } = spending;
  const when = period === 'day' ? 'today' : 'this month';
  const told = `${formatUsd(spentUsd)} of ${formatUsd(capUsd)} ${when}`;
  const judged = judgeSpending(spending);
  return html`<p><span class="figure">${told}</span> by ${scope}, ${percent} %</p>
    <p>${judged === undefined ? '' : html`<strong>The cap is ${judged}.</strong> `}The ${period} ends
      ${formatPeriodEnd(endsAt)}.</p>
    <meter min="0" max="${capUsd}" value="${Math.min(spentUsd, capUsd)}"
      aria-label="${told}, ${scope}"></meter>`;
}

function renderLedger(ledger: StatusAnswer['ledger']): Markup {
  const { providerCalls, tokens, costUsd, necessaryUsd, paidAndLostCalls, paidAndLostCostUsd, lastUpdate } =
    ledger;
  const lost = `${formatCount(paidAndLostCalls)} calls, about ${formatUsd(paidAndLostCostUsd)}`;
  return html`<p class="figure">${formatUsd(costUsd)} so far</p>
    <p>${formatCount(providerCalls)} calls, ${formatCount(tokens)} tokens.
      ${formatUsd(necessaryUsd)} of ${formatUsd(costUsd + paidAndLostCostUsd)} paid was necessary.</p>
    <p>Last vector written: ${lastUpdate ?? 'never'}.</p>
    ${paidAndLostCalls === 0 ? '' : html`<p>Paid and lost: ${lost}.</p>`}`;
}

/** What searches and clients had embedded, which is no part of the ledger. */
function renderQueries({ providerCalls, tokens, costUsd, costUsdToday }: QueryTotals): Markup {
  if (providerCalls === 0) return html``;
  const cost = `${formatUsd(costUsd)} for searches and clients, ${formatUsd(costUsdToday)} today`;
  return html`<p class="figure">${cost}</p>
    <p>${formatCount(providerCalls)} calls, ${formatCount(tokens)} tokens.</p>`;
}

/** What clients and searches ask of this service, beside the rows. */
export function renderService({ queues, recent: { answered, refused, p95Ms } }: ServiceLoad): Markup {
  const requests = (count: number) => `${formatCount(count)} ${count === 1 ? 'request' : 'requests'}`;
  const speed =
    p95Ms === null ? '' : html`<p class="figure">95 of 100 requests within ${formatDuration(p95Ms)}</p>`;
  const told = answered + refused === 0 ? 'No request' : `${requests(answered)} answered, ${refused} refused`;
  return html`<h2>Service</h2>
    ${speed}
    <p>${told} in the last minute.</p>
    <ul>${queues.map(queue => html`<li><strong>${queue.model}</strong>: ${describeLoad(queue)}.</li>`)}</ul>`;
}

function describeLoad({ texts, tokens, calls }: ServiceLoad['queues'][number]): string {
  const waiting = `${formatCount(texts)} ${texts === 1 ? 'text waits' : 'texts wait'}`;
  const underway = `${formatCount(calls)} ${calls === 1 ? 'call' : 'calls'} under way`;
  return `${waiting} with ${formatCount(tokens)} tokens, ${underway}`;
}

function renderModels(models: readonly ModelReadiness[]): Markup {
  return html`<h2>Models</h2>
    <ul>${models.map(
      ({ model, ready, code }) =>
        html`<li><strong>${model}</strong>: ${ready ? 'ready' : (code ?? 'warming up')}</li>`,
    )}</ul>`;
}

/**
 * A button of the page's script, which sends `details` to `/page/<name>`.
 * The id stays the same while the panel around it is replaced, so that the focus can come back.
 */
function renderAction(name: 'pause' | 'resume' | 'retry', details: object, label: string): Markup {
  const json = JSON.stringify(details);
  return html`<button type="button" id="${name}-${encodeURIComponent(json)}"
      data-action="${name}" data-details="${json}">${label}</button>`;
}

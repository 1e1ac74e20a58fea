import { html } from 'hono/html';
import { FRESHET } from '../../../core/own-command.ts';
import { formatCount } from '../../../core/run-end.ts';
import type { SearchAnswer } from '../../../ports/search.ts';
import type { Markup, Panels } from './render-panels.ts';

interface PageContents {
  readonly panels: Panels;
  /** Names of the sources that can be searched. */
  readonly sources: readonly string[];
  /** Whether the person logged in, and can log out. */
  readonly hasSession: boolean;
}

/** Renders the whole page. Its script only adds buttons and live numbers. */
export function renderPage({ panels, sources, hasSession }: PageContents): Markup {
  const logOut = html`<form method="post" action="/page/logout">
      <button type="submit">Log out</button>
    </form>`;
  return renderDocument(
    'Freshet',
    html`<a class="skip" href="#main">To the numbers</a>
      <header>
        <h1>Freshet</h1>
        <p id="live" role="status">As of when the page was loaded.</p>
        ${hasSession ? logOut : ''}
      </header>
      <main id="main">
        <p id="outcome" role="status"></p>
        ${Object.entries(panels).map(([name, panel]) => html`<section id="${name}">${panel}</section>`)}
        <section id="search">
          <h2>Search</h2>
          <form id="search-form">
            <label for="query">Words or a sentence</label>
            <input id="query" name="text" type="search" required maxlength="2000" autocomplete="off">
            ${sources.length < 2 ? '' : renderSources(sources)}
            <label class="choice"><input type="checkbox" name="texts"> show the texts of the rows</label>
            <button type="submit">Search</button>
          </form>
          <p class="typed">To search: <code>${FRESHET} search "words"</code></p>
          <div id="hits" role="status"></div>
        </section>
      </main>`,
  );
}

function renderSources(sources: readonly string[]): Markup {
  return html`<label for="source">Source</label>
    <select id="source" name="source">${sources.map(name => html`<option>${name}</option>`)}</select>`;
}

/**
 * Renders the page that asks for a token.
 * The form works without a script, and sends the token in its body: no address ever holds it.
 * @param refusal why the last token did not open the page; '': none was given
 */
export function renderLogin(refusal: string): Markup {
  return renderDocument(
    'Freshet: log in',
    html`<header><h1>Freshet</h1></header>
      <main id="main">
        <section>
          <h2>Log in</h2>
          <form method="post" action="/page/login">
            <label for="token">Token with the scope admin</label>
            <input id="token" name="token" type="password" required autocomplete="off">
            <button type="submit">Log in</button>
          </form>
          <p role="alert">${refusal}</p>
        </section>
      </main>`,
  );
}

/** Renders what a search found; the texts of the rows only where they were asked for. */
export function renderHits(found: SearchAnswer, withTexts: boolean): Markup {
  const { source, model, hits, exact, degraded } = found;
  const trust = exact ? 'exact' : 'approximate, by the index';
  const without = degraded.length === 0 ? '' : ` It went without ${degraded.join(' and ')}.`;
  const title = html`<p>Source ${source}, model ${model.alias}, ${hits.length} hits by meaning (${trust}).</p>
    <p>${describeCoverage(found)}${without}</p>`;
  if (hits.length === 0) return html`${title}<p>Nothing is embedded yet.</p>`;
  return html`${title}<ol>${hits.map(
    ({ id, score, columns }) => html`<li><strong>${id}</strong> ${score.toFixed(3)}
        ${
          withTexts
            ? html`<dl>${Object.entries(columns).map(
                ([name, value]) => html`<dt>${name}</dt><dd>${shortenText(writeValue(value))}</dd>`,
              )}</dl>`
            : ''
        }</li>`,
  )}</ol>`;
}

/** How far the hits speak for all rows. */
function describeCoverage({ coverage_percent: percent, stale }: SearchAnswer): string {
  if (percent === null || stale === null) return 'How many rows it covers was not measured yet.';
  return `It covers ${percent.toFixed(2)} % of the rows; ${formatCount(stale)} are stale.`;
}

function writeValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const SHOWN_CHARACTERS = 300;

function shortenText(text: string): string {
  const characters = [...text.slice(0, 2 * SHOWN_CHARACTERS + 2)];
  return characters.length <= SHOWN_CHARACTERS ? text : `${characters.slice(0, SHOWN_CHARACTERS).join('')}…`;
}

function renderDocument(title: string, body: Markup): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="/page/page.css">
<link rel="icon" href="/page/icon.svg">
<script src="/page/page.js" defer></script>
</head>
<body>${body}</body>
</html>`;
}

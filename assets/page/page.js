// Keeps the page of `freshet serve` live, and sends what its buttons and its search ask for.
// The server renders everything; this replaces panels that changed and leaves the focus where it was.

const element = id => document.getElementById(id);
document.documentElement.dataset.script = 'on';

/** Replaces the content of a panel, and gives the focus back to the element that had it. */
function replacePanel(name, markup) {
  const panel = element(name);
  const focused = panel.contains(document.activeElement) ? document.activeElement.id : undefined;
  panel.innerHTML = markup;
  if (focused === undefined) return;
  const again = focused === '' ? null : element(focused);
  if (again !== null) return again.focus();
  // The button is gone because it did its work: the next Tab goes on from its panel.
  panel.tabIndex = -1;
  panel.focus();
}

function tell(sentence) {
  element('outcome').textContent = sentence;
}

/** Sends JSON to the own origin. Resolves with the answer, or rejects with a sentence for people. */
async function post(address, body) {
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => {
    throw new Error('The service does not answer.');
  });
  if (response.ok) return response;
  if (response.status === 401) location.assign('/');
  const answer = await response.json().catch(() => undefined);
  throw new Error(answer?.error?.message ?? `The service answered with status ${response.status}.`);
}

async function act(button) {
  const { action, details } = button.dataset;
  button.setAttribute('aria-disabled', 'true');
  try {
    const response = await post(`/page/${action}`, JSON.parse(details));
    tell((await response.json()).message);
  } catch (error) {
    tell(error.message);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

document.addEventListener('click', event => {
  const button = event.target.closest('[data-action]');
  if (button !== null && button.getAttribute('aria-disabled') !== 'true') void act(button);
});

let searches = 0;

element('search-form')?.addEventListener('submit', async event => {
  event.preventDefault();
  searches += 1;
  const mine = searches;
  const form = new FormData(event.target);
  const source = form.get('source');
  const query = { text: form.get('text'), texts: form.get('texts') === 'on' };
  const show = markup => {
    if (mine === searches) element('hits').innerHTML = markup;
  };
  try {
    const response = await post('/page/search', source === null ? query : { ...query, source });
    show(await response.text());
  } catch (error) {
    show('');
    tell(error.message);
  }
});

if (element('live') !== null) {
  const events = new EventSource('/page/events');
  const live = sentence => {
    if (element('live').textContent !== sentence) element('live').textContent = sentence;
  };
  events.addEventListener('panels', ({ data }) => {
    for (const [name, markup] of Object.entries(JSON.parse(data))) replacePanel(name, markup);
    live('Live: the numbers follow the database.');
  });
  events.addEventListener('error', () => live('Not live: the service does not answer.'));
  events.addEventListener('open', () => live('Live: the numbers follow the database.'));
}

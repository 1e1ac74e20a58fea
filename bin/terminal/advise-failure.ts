/** What to try, by the code of a failure. Codes are those of `lib/core/errors`; an unknown one gets the general advice. */
const adviceByCode: readonly (readonly [RegExp, string])[] = [
  [
    /too-long|context_length|too_large|string_above_max/,
    'fewer characters: --max-chars N, or overLimit: "truncate" in the configuration; then retry',
  ],
  [/timeout|timed_out/, 'a longer timeout: --timeout-sec N, or a smaller batch: --batch-size N; then retry'],
  [
    /undelivered/,
    'embedding began five times and never ended: a smaller batch (--batch-size 1) and a longer timeout (--timeout-sec N); then retry',
  ],
  [
    /invalid_api_key|401|403|permission|auth/,
    'check OPENAI_API_KEY and the project it belongs to; then run again',
  ],
  [/quota|billing|insufficient/, "the account's credit is used up: top it up, then run again"],
  [
    /model_not_found|404|wrong_dimensions|dimensions/,
    'check modelId and dimensions of the model in the configuration; then run again',
  ],
  [/rate_limit|429|overloaded/, 'slower: --concurrency 1 or --pause-ms N'],
  [
    /content|policy|moderation|invalid_input|invalid_vector|http_4\d\d|refused/,
    'the provider refuses this text: edit the row, or retry with another model',
  ],
];

export function adviseFailure(failure: { readonly failureClass: string; readonly code: string }): string {
  if (failure.failureClass === 'undelivered' && failure.code !== 'undelivered')
    return 'an outage was recorded, as the source asks: once it is over, retry --class undelivered, then run';
  for (const [pattern, advice] of adviceByCode) if (pattern.test(failure.code)) return advice;
  return 'edit the row, or: retry --class CODE, then run';
}

/** Where the rows failed. What a person types depends on it. */
export type FailurePlace = 'local' | 'deployed';

type Advice = Readonly<Record<FailurePlace, string>>;

/** Advice that is the same wherever the row failed. */
function alike(advice: string): Advice {
  return { local: advice, deployed: advice };
}

/**
 * What to try, by the code of a failure.
 * Codes are those of `lib/core/failures.ts` and `lib/core/provider-failures.ts`. A code that is not
 * here gets the general advice.
 */
const adviceByCode: readonly (readonly [RegExp, Advice])[] = [
  [
    /^duplicate-key$/,
    {
      local:
        'the key stands in several rows of the source: doctor shows it and says how; once it stands in ' +
        'one row, the next whole pass embeds it',
      deployed:
        'the key stands in several rows of the source: remove those that are not meant and REINDEX the ' +
        'table, or its child tables repeat keys, or a view or foreign table needs other columns as key; ' +
        'once it stands in one row, the next reconcile pass embeds it',
    },
  ],
  [
    /^text-gone$/,
    alike(
      'the text of the document was deleted (documents.keepText is false) before this model was there: ' +
        'whoever has the text gives it to the service again',
    ),
  ],
  [
    /^sqlstate_/,
    {
      local:
        'the database cannot read or store this row: look at it and into the log of the server; then retry',
      deployed:
        'the database cannot read or store this row: look at it and into the log of the server; then ' +
        'aws retry',
    },
  ],
  [
    /^(network_\w+|http_(5\d\d|408)|invalid_reply(_\w+)?|reply_too_large|tei_(backend|unhealthy))$/,
    {
      local:
        'the provider failed at this text each time, while it embedded others: its log may say why; edit ' +
        'the row, or retry once it is mended',
      deployed:
        'the provider failed at this text each time, while it embedded others: its log may say why; edit ' +
        'the row, or aws retry once it is mended',
    },
  ],
  [
    /^foreign_/,
    {
      local: 'a firewall or proxy before the provider refuses this text: let it pass there, then retry',
      deployed:
        'a firewall or proxy before the provider refuses this text: let it pass there, then aws retry',
    },
  ],
  [
    /too-long|context_length|too_large|string_above_max/,
    {
      local: 'fewer characters: --max-chars N, or overLimit: "truncate" in the configuration; then retry',
      deployed: 'overLimit: "truncate" of the source in the configuration; deploy, then aws retry',
    },
  ],
  [
    /timeout|timed_out/,
    {
      local: 'a longer timeout: --timeout-sec N, or a smaller batch: --batch-size N; then retry',
      deployed: 'a smaller limits.batchSize in the configuration; deploy, then aws retry',
    },
  ],
  [
    /undelivered/,
    {
      local:
        'embedding began five times and never ended: a smaller batch (--batch-size 1) and a longer ' +
        'timeout (--timeout-sec N); then retry',
      deployed:
        'embedding began five times and never ended: aws logs --function embed --trouble says how; a ' +
        'smaller limits.batchSize, deploy, then aws retry',
    },
  ],
  [
    /invalid_api_key|401|403|permission|auth/,
    {
      local: 'check OPENAI_API_KEY and the project it belongs to; then run again',
      deployed: 'check the key in the secret of the model (providerSecrets) and its project; then aws retry',
    },
  ],
  [
    /quota|billing|insufficient/,
    {
      local: "the account's credit is used up: top it up, then run again",
      deployed: "the account's credit is used up: top it up, then aws retry",
    },
  ],
  [
    /model_not_found|embeddings_unsupported|404|wrong_dimensions|dimensions/,
    {
      local: 'check modelId and dimensions of the model in the configuration; then run again',
      deployed: 'check modelId and dimensions of the model in the configuration; deploy, then aws retry',
    },
  ],
  [
    /^half_range$/,
    {
      local:
        'the model gives a vector that halfvec cannot hold: storage: "vector" of the source, which makes a ' +
        'new space; then run again',
      deployed:
        'the model gives a vector that halfvec cannot hold: storage: "vector" of the source, which makes a ' +
        'new space; then deploy',
    },
  ],
  [
    /rate_limit|429|overloaded/,
    {
      local: 'slower: --concurrency 1 or --pause-ms N',
      deployed: 'slower: a lower maxConcurrency.bulk of the stage; deploy, then aws retry',
    },
  ],
  [
    /content|policy|moderation|invalid_input|invalid_vector|http_4\d\d|refused/,
    {
      local: 'the provider refuses this text: edit the row, or retry with another model',
      deployed: 'the provider refuses this text: edit the row, which is then tried again by itself',
    },
  ],
];

const RECORDED_OUTAGE: Advice = {
  local: 'an outage was recorded, as the source asks: once it is over, retry --class undelivered, then run',
  deployed: 'an outage was recorded, as the source asks: once it is over, aws retry --class undelivered',
};

const GENERAL: Advice = {
  local: 'edit the row, or: retry --class CODE, then run',
  deployed: 'edit the row, or: aws retry --class CODE',
};

export function adviseFailure(
  { failureClass, code }: { readonly failureClass: string; readonly code: string },
  place: FailurePlace,
): string {
  const isOfRow = /^(undelivered|text-gone|sqlstate_.*)$/.test(code);
  const isOutage = failureClass === 'undelivered' && !isOfRow;
  if (isOutage) return RECORDED_OUTAGE[place];
  const found = adviceByCode.find(([pattern]) => pattern.test(code))?.[1] ?? GENERAL;
  return found[place];
}

/**
 * The check of each kind of field in a result's header.
 * Encoding and decoding use the same table, so that nothing is written that could not be read back.
 */
export const FIELD_CHECKS = {
  text: (value: unknown) => typeof value === 'string',
  textOrNull: (value: unknown) => value === null || typeof value === 'string',
  count: (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0,
  countOrNull: (value: unknown) => value === null || (Number.isSafeInteger(value) && Number(value) >= 0),
  amount: (value: unknown) => Number.isFinite(value) && Number(value) >= 0,
  lane: (value: unknown) => value === 'fresh' || value === 'bulk',
  outcome: (value: unknown) => typeof value === 'string' && OUTCOME.test(value),
  itemClass: (value: unknown) => value === 'item',
} as const;

export type FieldKind = keyof typeof FIELD_CHECKS;

const OUTCOME =
  /^(embedded|excluded:empty|too-long|undelivered|(undelivered|refused):[A-Za-z0-9_.-]{1,100})$/;

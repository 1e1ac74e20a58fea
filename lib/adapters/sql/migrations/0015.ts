/**
 * Adds what of a call was necessary, in dollars: the share that bought texts which were stored.
 * NULL: all of a call that was answered for rows, and nothing of any other call. So a number stands
 * only where something was bought and then not stored. Older code writes none: what it buys in vain
 * counts as necessary.
 */
export const migration0015Necessary = {
  version: 15,
  compatibleFrom: 4,
  name: 'necessary',
  statements: ['ALTER TABLE freshet.ledger ADD COLUMN necessary_usd double precision'],
} as const;

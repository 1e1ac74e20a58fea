/**
 * Adds what schedules must know of each other.
 * `pass_open` says whether a reconcile pass is under way. `probed_at` says when the work that a
 * pause reason stops was last tried; NULL: not since the pause began.
 */
export const migration0003Schedules = {
  version: 3,
  compatibleFrom: 3,
  name: 'schedules',
  statements: [
    'ALTER TABLE freshet.positions ADD COLUMN pass_open boolean NOT NULL DEFAULT true',
    'UPDATE freshet.positions SET pass_open = false ' +
      'WHERE reconcile_cursor IS NULL AND last_pass_ended_at IS NOT NULL',
    'ALTER TABLE freshet.control ADD COLUMN probed_at timestamptz',
  ],
} as const;

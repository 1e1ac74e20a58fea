/** When what a pause reason stops was last tried; NULL: not since the pause began. */
export const migration0002Probes = {
  version: 2,
  name: 'probes',
  statements: ['ALTER TABLE freshet.control ADD COLUMN probed_at timestamptz'],
} as const;

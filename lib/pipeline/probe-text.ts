/**
 * A text of no row, which is sent alone to try a provider.
 * A provider that refuses this text refuses everything. A provider that embeds it works.
 */
export const PROBE_TEXT = 'Freshet';

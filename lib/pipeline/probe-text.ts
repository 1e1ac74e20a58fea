/** Text of no row, sent alone: a provider that refuses it refuses everything, and one that embeds it is there. */
export const PROBE_TEXT = 'Freshet';

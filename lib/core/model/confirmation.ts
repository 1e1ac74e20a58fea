/**
 * `reason` in `freshet.control`, scope `source:<name>`: an operator says that the rows which went missing are meant to be gone. It pauses
 * nothing and holds for a day.
 */
export const ORPHANS_CONFIRMED = 'orphans:confirmed';

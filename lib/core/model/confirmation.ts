/**
 * The `reason` in `freshet.control` that confirms missing rows as meant to be gone.
 * An operator writes it with the scope `source:<name>`. A confirmation pauses nothing and holds for
 * a day.
 */
export const ORPHANS_CONFIRMED = 'orphans:confirmed';

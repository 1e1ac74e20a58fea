/** What no history may break. The numbers in brackets are those of the invariants that the design's research page lists. */
export const INVARIANTS = {
  complete: 'At the end every live row has exactly one outcome, of its version, xmin and text. [1]',
  'no-ghosts': 'At the end no outcome belongs to a row that is gone. [2]',
  'right-vector':
    'A stored vector is, at every moment, the one of the text whose hash stands beside it. [3, 4]',
  'honest-outcome':
    'An outcome never claims a version of the row whose text it was not made from, and blames no text that the provider neither refused nor failed at twice. [3]',
  quiescent: 'After the faults the queues empty, the leases end and no row keeps anybody busy. [6]',
  accounted:
    'What a provider may have billed stands in the ledger or among the grants that were not settled. [7]',
  'honest-dead-letters': 'Throttling, outages and pauses alone lead to no dead letter. [8]',
  'newest-wins': 'No older reading of a row replaces a newer one (while the clock does not step back). [9]',
  'bought-once':
    'Nothing is bought that the space held, or was refused, since before the message was taken up. [10]',
  'cost-bound':
    'A text is paid for at most once per time that a row took it on, and once per fault that can lose a purchase. [10]',
  'batch-settled':
    'Every batch ends: the ledger has its bill to the cent and once, and no grant and no file of it is left.',
  'edits-wait-for-nobody':
    'No row waits for a batch whose version is younger than five minutes, or of which the space held another text and version.',
  'object-before-message':
    'An announcement names an object that is stored, whole; an object never changes. [11]',
  'nothing-after-return': 'An invocation that returned asks nothing of any port. [12]',
  'nothing-after-pause': 'No provider call is granted for a space that is paused at that moment. [12]',
  'lifted-by-write':
    'The pause of a database that said stop is lifted only by whoever has just written to it.',
  'ended-by-write':
    'A result that is written after it failed once ends the pause of the database that was there by then.',
  'own-reason': 'Nobody but the operator lifts what the operator paused.',
  'probes-are-rare':
    'A stopped model is called by the guard alone, who claims each probe; claims of one scope are a minute apart at least.',
  reopened:
    'Once its provider answers again a model is not paused any more, and no event source stays closed that the guard closed.',
  'granted-first': 'A provider call is granted before it is made. [13]',
  'rate-kept':
    'Never more calls are granted than the limit of the configuration and a burst allow; a row that was lost, one burst more.',
  'cap-kept':
    'Calls that were granted within one period of a cap are billed no more than the cap, and what the bills of calls that were under way at once, or got no answer, are above their estimates.',
  'rated-first': 'A call of a limited model is made with a share of the rate of its own.',
  'edits-first':
    'For two seconds after an edit was refused a share of the rate, bulk work is granted none before it.',
  'watermark-safe':
    'Below the watermark no open transaction began, and every stale row of an honest clock is leased. [14]',
  'honest-age': 'What a look saw and left without a lease is known to wait, as long as anything of it does.',
  'small-tenants-first':
    'While a tenant of many rows fills the looks, an edit of another is leased within a few of them.',
  'converged-before-reconcile':
    'With empty queues every row with an honest clock is fresh before a reconcile pass looks. [15]',
  'bounded-staleness': 'Without faults a committed change is written within a bounded number of ticks. [16]',
  'poison-delays-nobody':
    'A text that kills its process harms a neighbour at most twice, and every other row is written. [17]',
  'outage-is-whole': 'While the provider fails at everything, no batch that failed is asked for in parts.',
  'coverage-identity':
    'At every step eligible = fresh + excluded + failed + in flight + stale, and 100 % means that no row is missing. [19]',
  'no-text-outside': 'No message, object, log line or pause reason holds text of a row. [20]',
  'idle-second-run': 'A run over what is fresh makes no provider call and changes no outcome. [23]',
  'skipped-told': 'A tick that ends tells of every row that its looks could not compare.',
  'no-surprise': 'Nothing rejects with anything but a classified failure.',
} as const;

export type InvariantName = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: InvariantName;
  readonly atMs: number;
  readonly detail: string;
}

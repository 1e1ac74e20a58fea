/**
 * What feeds functions from queues. A source can be closed and opened while messages wait.
 * Sources are named by the ids that the stack gave.
 * @throws FreshetError from every method.
 */
export interface EventSources {
  read(mappingId: string): Promise<EventSource>;
  /** Marks the source as closed by us, then closes it. Work in hand goes on to its end. */
  close(source: EventSource): Promise<void>;
  /**
   * Opens the source, then takes the mark away.
   * The method also takes the mark from a source that is open and still marked.
   */
  open(source: EventSource): Promise<void>;
}

export interface EventSource {
  readonly mappingId: string;
  readonly arn: string;
  /** `changing`: the source can be neither opened nor closed until it settles. */
  readonly state: 'open' | 'closed' | 'changing';
  /**
   * True: the source carries our mark, so that we may open it.
   * A closed source without the mark was closed by hand.
   */
  readonly closedByUs: boolean;
}

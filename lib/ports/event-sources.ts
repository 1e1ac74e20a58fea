/** What feeds a function from a queue: it can be closed and opened while messages wait. By the ids that the stack gave. */
export interface EventSources {
  read(mappingId: string): Promise<EventSource>;
  /** Marks it as closed by us, then closes it. What is being worked on goes on to its end. */
  close(source: EventSource): Promise<void>;
  /** Opens it, then takes the mark away. Also for one that is open and still marked. */
  open(source: EventSource): Promise<void>;
}

export interface EventSource {
  readonly mappingId: string;
  readonly arn: string;
  /** `changing`: it can be neither opened nor closed until it settles. */
  readonly state: 'open' | 'closed' | 'changing';
  /** We closed it, so that we may open it. Without the mark, a closed one was closed by hand. */
  readonly closedByUs: boolean;
}

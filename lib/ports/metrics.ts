/** One event per batch. Dimensions are stage, component and provider; everything else is a property, because each dimension value costs money. */
export interface Metrics {
  count(name: string, value: number): void;
  duration(name: string, ms: number): void;
  property(name: string, value: string | number): void;
  /** Writes what was gathered as one event and starts afresh. Never rejects. */
  flush(): Promise<void>;
}

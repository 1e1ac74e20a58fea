/** Where people read the alarms, outside AWS. */
export interface Webhook {
  /** Lines of plain text. Rejects with a `FreshetError` that holds neither the address nor what was answered. */
  post(text: string): Promise<void>;
}

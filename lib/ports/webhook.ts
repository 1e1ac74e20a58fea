/** Where people read the alarms outside AWS. */
export interface Webhook {
  /**
   * Posts lines of plain text.
   * @throws FreshetError that holds neither the address nor what was answered.
   */
  post(text: string): Promise<void>;
}

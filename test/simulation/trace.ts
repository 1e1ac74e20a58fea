/** What happened, as a number that two equal runs share, and in words where somebody asked for them. */
export interface Trace {
  /** `detail` is asked for words, about `of`, only where somebody reads them. */
  event<Of>(name: string, subject?: number, detail?: (of: Of) => string, of?: Of): void;
  hash(): string;
  readonly lines: readonly string[];
}

export function createTrace(nowMs: () => number, inWords: boolean): Trace {
  let hash = 0x811c9dc5;
  const lines: string[] = [];
  const mix = (value: number) => {
    hash = Math.imul(hash ^ value, 0x01000193);
  };
  return {
    lines,
    event(name, subject = 0, detail, of) {
      mix(nowMs() | 0);
      mix(subject);
      for (let place = 0; place < name.length; place += 1) mix(name.charCodeAt(place));
      if (!inWords) return;
      const seconds = (nowMs() / 1000).toFixed(3).padStart(10);
      lines.push(
        `${seconds}s  ${name}${subject === 0 ? '' : ` #${subject}`}${detail ? `  ${detail(of as never)}` : ''}`,
      );
    },
    hash: () => (hash >>> 0).toString(16).padStart(8, '0'),
  };
}

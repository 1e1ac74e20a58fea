import type { FoundRows } from '../../lib/wiring/local-requests.ts';
import { shorten } from './format-table.ts';

/** Similarity, the first text column and the beginning of the others. */
export function formatHits({ hits }: FoundRows, width = 100): string[] {
  if (hits.length === 0) return ['  nothing is embedded yet'];
  const titles = hits.map(hit => shorten(hit.columns[0] ?? hit.id, 30));
  const titleWidth = Math.max(...titles.map(title => title.length));
  return hits.map((hit, index) => {
    const start = `  ${hit.similarity.toFixed(3)}  ${titles[index]!.padEnd(titleWidth)}  `;
    const rest = hit.columns.slice(1).filter(column => column !== null);
    return (start + shorten(rest.join(' · '), Math.max(20, width - start.length))).trimEnd();
  });
}

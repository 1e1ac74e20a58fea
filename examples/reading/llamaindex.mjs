import { BaseRetriever } from '@llamaindex/core/retriever';
import { TextNode } from '@llamaindex/core/schema';
import { searchItems } from './search-items.mjs';

/** A retriever of LlamaIndex.TS over a source of Freshet. */
export class FreshetRetriever extends BaseRetriever {
  constructor({ pool, embed, limit = 4 }) {
    super();
    Object.assign(this, { pool, embed, limit });
  }

  async _retrieve({ query }) {
    const rows = await searchItems(this.pool, await this.embed(String(query)), this.limit);
    return rows.map(({ id, text, tags, score }) => ({
      node: new TextNode({ id_: id, text, metadata: { tags } }),
      score,
    }));
  }
}

import { Document } from '@langchain/core/documents';
import { BaseRetriever } from '@langchain/core/retrievers';
import { searchItems } from './search-items.mjs';

/** A retriever of LangChain.js over a source of Freshet; it writes nothing, and needs no vector store. */
export class FreshetRetriever extends BaseRetriever {
  lc_namespace = ['freshet'];

  constructor({ pool, embed, limit = 4, ...rest }) {
    super(rest);
    Object.assign(this, { pool, embed, limit });
  }

  async _getRelevantDocuments(question) {
    const rows = await searchItems(this.pool, await this.embed(question), this.limit);
    return rows.map(
      ({ id, text, tags, score }) => new Document({ id, pageContent: text, metadata: { tags, score } }),
    );
  }
}

// The reader that the table's maker wrote, kept to compare ours with.
// WordPiece (BERT uncased) + mean of int8 token rows. No dependency.
import { readFileSync } from 'node:fs';

const isCjk = c =>
  (c >= 0x4e00 && c <= 0x9fff) ||
  (c >= 0x3400 && c <= 0x4dbf) ||
  (c >= 0xf900 && c <= 0xfaff) ||
  (c >= 0x20000 && c <= 0x2fa1f);
const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\uFFFD]/u,
  MARK = /\p{Mn}/u,
  PUNCT = /\p{P}/u,
  SPACE = /\p{Zs}/u;
const ASCII_PUNCT = c =>
  (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
export function loadStatic(folder) {
  const header = JSON.parse(readFileSync(`${folder}/model.json`, 'utf8'));
  const { dimensions: D, tokens: V } = header;
  const file = readFileSync(`${folder}/weights.bin`);
  const buf = file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
  const scales = new Float32Array(buf, 0, V);
  const rows = new Int8Array(buf, V * 4, V * D);
  const vocab = new Map(
    readFileSync(`${folder}/vocab.txt`, 'utf8')
      .split('\n')
      .slice(0, V)
      .map((t, i) => [t, i]),
  );
  const words = new Map(); // memo: word -> ids
  function wordIds(word) {
    let ids = words.get(word);
    if (ids) return ids;
    ids = [];
    const chars = Array.from(word);
    if (chars.length <= 100) {
      let start = 0;
      while (start < chars.length) {
        let end = chars.length,
          id;
        for (; end > start; end -= 1) {
          id = vocab.get((start ? '##' : '') + chars.slice(start, end).join(''));
          if (id !== undefined) break;
        }
        if (id === undefined) {
          ids = [];
          break;
        } // [UNK] has no row
        ids.push(id);
        start = end;
      }
    }
    if (words.size > 50000) words.clear();
    words.set(word, ids);
    return ids;
  }
  function tokenize(text) {
    const out = [];
    let word = '';
    const flush = () => {
      if (word) {
        for (const id of wordIds(word)) out.push(id);
        word = '';
      }
    };
    let ascii = true;
    for (let i = 0; i < text.length; i += 1)
      if (text.charCodeAt(i) > 126) {
        ascii = false;
        break;
      }
    if (ascii) {
      const low = text.toLowerCase();
      for (let i = 0; i < low.length; i += 1) {
        const c = low.charCodeAt(i);
        if (c === 32 || c === 9 || c === 10 || c === 13) flush();
        else if (c < 32) continue;
        else if (ASCII_PUNCT(c)) {
          flush();
          word = low[i];
          flush();
        } else word += low[i];
      }
    } else {
      const low = text.normalize('NFD').toLowerCase();
      for (const ch of low) {
        const c = ch.codePointAt(0);
        if (c === 32 || c === 9 || c === 10 || c === 13 || SPACE.test(ch)) flush();
        else if (CONTROL.test(ch) || MARK.test(ch)) continue;
        else if (ASCII_PUNCT(c) || PUNCT.test(ch) || isCjk(c)) {
          flush();
          word = ch;
          flush();
        } else word += ch;
      }
    }
    flush();
    return out;
  }
  const sums = new Float64Array(D);
  function embed(text) {
    sums.fill(0);
    for (const id of tokenize(text)) {
      const s = scales[id],
        at = id * D;
      for (let d = 0; d < D; d += 1) sums[d] += s * rows[at + d];
    }
    let q = 0;
    for (let d = 0; d < D; d += 1) q += sums[d] * sums[d];
    const v = new Float32Array(D);
    if (q < 1e-12) {
      v[0] = 1;
      return v;
    } // nothing known: a fixed unit vector
    const n = 1 / Math.sqrt(q);
    for (let d = 0; d < D; d += 1) v[d] = sums[d] * n;
    return v;
  }
  return { embed, tokenize, header };
}

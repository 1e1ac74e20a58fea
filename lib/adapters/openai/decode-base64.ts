/**
 * Decodes into `room` and gives back the part that was written; nothing where the text is no base64. `write` skips what is none: then the bytes are fewer
 * than the characters say. It also reads the URL alphabet, which no server means.
 */
export function decodeBase64(encoded: string, room: Buffer): Buffer {
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0;
  const bytes = room.subarray(0, room.write(encoded, 'base64'));
  const complete = bytes.length === (encoded.length / 4) * 3 - padding;
  return complete && !encoded.includes('-') && !encoded.includes('_') ? bytes : room.subarray(0, 0);
}

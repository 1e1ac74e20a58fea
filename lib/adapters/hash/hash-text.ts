export function hashText(text: string, dimensions: number): Buffer {
  const vector = new Float32Array(dimensions);
  vector[text.length % dimensions] = 1;
  return Buffer.from(vector.buffer);
}

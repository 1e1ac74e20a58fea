import { VECTOR_ARRAY } from './vector-array-layout.ts';

/**
 * Checks that `array` is a binary `vector[]` and ends after its last element.
 * An element has `dimensions` where `present` says so and is NULL elsewhere.
 * @throws RangeError where the bytes are laid out otherwise
 */
export function checkVectorArray(array: Buffer, present: readonly boolean[], dimensions: number): void {
  let offset: number = present.length === 0 ? VECTOR_ARRAY.emptyBytes : VECTOR_ARRAY.headerBytes;
  if (present.length > 0) {
    expect(
      array.readInt32BE(0) === 1 && array.readInt32BE(12) === present.length && array.readInt32BE(16) === 1,
    );
    expect(array.readInt32BE(4) === (present.includes(false) ? 1 : 0));
  } else {
    expect(array.length === offset && array.readInt32BE(0) === 0);
  }
  const elementBytes = VECTOR_ARRAY.elementHeaderBytes + 4 * dimensions;
  for (const isPresent of present) {
    expect(array.readInt32BE(offset) === (isPresent ? elementBytes : -1));
    offset += 4;
    if (!isPresent) continue;
    expect(array.readInt16BE(offset) === dimensions && array.readInt16BE(offset + 2) === 0);
    offset += elementBytes;
  }
  expect(offset === array.length);
}

function expect(holds: boolean): void {
  if (!holds) throw new RangeError('The vectors are not laid out as their entries say.');
}
